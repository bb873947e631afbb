"""What wants to start early: a long chain, and much work that scarce resources hold up."""

import os
import subprocess
import sys

from executions.scheduling import graph
from executions.scheduling.model import LimitKind, limit_key
from executions.scheduling.urgency import TASKS_WEIGHED, urgencies
from tests.scheduling.builders import group, run, site, task, times, units


def of(*tasks, **limits):
    made = group(*tasks)
    return urgencies(made, graph.build(made.tasks), site(**limits))


def test_without_resources_the_remaining_chain_counts_alone():
    found = of(task("A", duration_s=2), task("B", "A", duration_s=3), task("C", duration_s=4))
    assert found == {"A": 5, "B": 3, "C": 4}


def test_with_resources_what_lies_behind_and_is_scarce_counts_too():
    needs = (units("db"),)
    tasks = [
        task("A"),
        *(task(f"B{i}", "A", needs=needs) for i in range(6)),
        task("C"),
        task("D", "C"),
    ]
    found = of(*tasks, resource_db=2)
    assert found["A"] == 2 - 0.5 + 3 / 2
    assert found["C"] == 2 - 0.5
    assert found["B0"] == 1 - 0.5 + 0.5 / 2


def test_the_task_before_much_scarce_work_starts_before_a_longer_chain():
    needs = (units("db"),)
    behind = [task(f"B{i}", "A", needs=needs) for i in range(6)]
    chain = [task("C"), task("D", "C"), task("E", "D")]
    result = run(group(*chain, task("A"), *behind, max_concurrency=1), limits=site(resource_db=1))
    assert times(result)["A"][0] == 0


def test_teams_and_types_count_as_well_where_they_are_too_small():
    tasks = [task("A"), *(task(f"B{i}", "A", team="dev", task_type="api") for i in range(6))]
    assert of(*tasks, team_dev=2, task_type_api=6)["A"] == 2 - 0.5 + 3 / 2
    assert of(*tasks, team_dev=6, task_type_api=6)["A"] == 2, "there is enough for all"


def test_a_groups_own_limit_makes_a_team_small():
    dev = [task(f"B{i}", "A", team="dev", duration_s=2) for i in range(4)]
    tasks = [task("C", duration_s=2), task("D", "C", duration_s=2), task("A"), *dev]
    own = {limit_key(LimitKind.TEAM, "dev"): 1}
    for limits, first in (({}, "C"), (own, "A")):
        starts = times(
            run(group(*tasks, max_concurrency=1, limits=limits), limits=site(team_dev=9))
        )
        assert starts[first][0] == 0


def test_large_groups_go_by_the_chain_alone():
    tasks = [task(f"T{i}", needs=(units("db"),)) for i in range(TASKS_WEIGHED + 1)]
    assert set(of(*tasks, resource_db=1).values()) == {1.0}


MUCH_BEHIND = """
from random import Random
from executions.scheduling import graph
from executions.scheduling.urgency import urgencies
from tests.scheduling.builders import group, site, task, units
draw = Random(3)
tasks = [
    task(
        f"T{i}",
        *{f"T{draw.randrange(i)}" for _ in range(3) if i},
        needs=(units("db"),),
        duration_s=draw.uniform(0.1, 9),
    )
    for i in range(80)
]
of = group(*tasks)
print(urgencies(of, graph.build(of.tasks), site(resource_db=1)))
"""


def test_every_process_reckons_the_same():
    """Sets come in another order in each process; the last bit of a sum must not."""
    told = {
        subprocess.run(
            [sys.executable, "-c", MUCH_BEHIND],
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
            capture_output=True,
            check=True,
        ).stdout
        for seed in (1, 2, 3)
    }
    assert len(told) == 1
