"""What the dependencies of a group imply."""

import pytest

from executions.scheduling.graph import (
    CycleFound,
    build,
    critical_path,
    critical_phase,
    demand_numbers,
    find_cycle,
    inherited_priorities,
    levels,
    remaining_chains_s,
)
from tests.scheduling.builders import group, task, units

DIAMOND = (
    task("D", "B", "C", priority=90),
    task("B", "A", duration_s=5),
    task("C", "A", priority=20),
    task("A", priority=10),
    task("E", priority=95, duration_s=2),
)


def test_a_cycle_is_named_from_its_first_task_to_its_first_task():
    assert find_cycle([task("A", "C"), task("B", "A"), task("C", "B"), task("D", "A")]) == [
        "A",
        "C",
        "B",
        "A",
    ]
    assert find_cycle([task("A", "A")]) == ["A", "A"]
    assert find_cycle(DIAMOND) is None
    with pytest.raises(CycleFound, match="A → A"):
        build([task("A", "A")])


def test_dependencies_give_levels_chains_and_priorities():
    graph = build(DIAMOND)
    assert levels(graph) == {"A": 0, "E": 0, "B": 1, "C": 1, "D": 2}
    assert remaining_chains_s(graph, DIAMOND) == {"A": 7, "B": 6, "C": 2, "D": 1, "E": 2}
    assert inherited_priorities(graph, DIAMOND) == {"A": 90, "B": 90, "C": 90, "D": 90, "E": 95}
    assert critical_path(graph, DIAMOND) == ["A", "B", "D"]


def test_the_critical_phase_is_what_is_critical_and_all_it_needs():
    of = group(task("A"), task("B", "A", priority=90), task("C", "B"), critical_first=True)
    assert critical_phase(of) == {"A", "B"}
    assert critical_phase(group(*of.tasks)) == frozenset()


def test_demands_are_numbered_by_first_appearance():
    of = group(
        task("A", team="x"),
        task("B", needs=(units("db"),)),
        task("C", team="x", priority=99),
        task("D", team="x", needs_worker=False),
    )
    assert demand_numbers(of) == {"A": 0, "B": 1, "C": 0, "D": 2}


def test_a_chain_of_a_hundred_thousand_needs_no_recursion():
    tasks = [task(f"T{i}", *([f"T{i - 1}"] if i else [])) for i in range(100_000)]
    assert remaining_chains_s(build(tasks), tasks)["T0"] == 100_000
