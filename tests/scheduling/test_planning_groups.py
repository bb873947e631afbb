"""Parallelizable groups: nothing dropped, nothing that depends or clashes together, few of them."""

from itertools import combinations

import networkx as nx
import pytest
from hypothesis import given

from executions.scheduling import graph
from executions.scheduling.needs import capacities
from executions.scheduling.parallel import CONFLICTS_A_GROUP, parallel_groups
from tests.scheduling.builders import alone, group, site, task, units
from tests.scheduling.planned import SITE, groups


def split(of, limits):
    seconds = {t.id: float(t.duration_s or 0.0) for t in of.tasks}
    return parallel_groups(of, graph.build(of.tasks), seconds, capacities(of, limits))


def test_tasks_of_one_level_form_a_group():
    found = split(group(task("A"), task("B"), task("C", "A"), task("D")), {})
    assert [part.tasks for part in found] == [("A", "B", "D"), ("C",)]
    assert [part.can_parallel for part in found] == [True, False]


def test_tasks_that_clash_are_kept_apart_and_the_clash_is_named():
    of = group(task("A", needs=(alone("db"),)), task("B", needs=(units("db"),)), task("C"))
    found = split(of, site(resource_db=2))
    assert [part.tasks for part in found] == [("A", "C"), ("B",)]
    assert found[0].as_json()["conflicts"] == [{"tasks": ["A", "B"], "resource": "db"}]


def test_what_fits_two_by_two_but_not_all_together_is_split():
    of = group(*(task(f"T{i}", needs=(units("db"),)) for i in range(5)))
    assert [len(part.tasks) for part in split(of, site(resource_db=2))] == [2, 2, 1]


def test_colouring_finds_fewer_groups_than_the_order_of_the_file():
    tasks = [
        task(
            f"{side}{i}",
            needs=tuple(
                alone(f"r{min(i, j)}{max(i, j)}{(side == 'a') == (i < j)}")
                for j in range(4)
                if j != i
            ),
        )
        for i in range(4)
        for side in "ab"
    ]
    limits = {f"resource:{n.resource}": 1 for t in tasks for n in t.requirements}
    assert len(split(group(*tasks), limits)) == 2


@pytest.mark.parametrize(
    ("fields", "expected"),
    [({}, 4.0), ({"team": "dev"}, 2.0), ({"needs": (units("db", 1),)}, 3.0)],
)
def test_the_speedup_of_a_group_respects_what_it_needs(fields, expected):
    of = group(*(task(f"T{i}", duration_s=3, **fields) for i in range(4)))
    found = split(of, site(team_dev=2, resource_db=3))
    assert found[0].estimated_speedup == expected


def test_conflicts_are_listed_up_to_a_limit():
    of = group(*(task(f"T{i}", needs=(alone("db"),)) for i in range(CONFLICTS_A_GROUP + 2)))
    found = split(of, site(resource_db=1))
    assert len(found) == CONFLICTS_A_GROUP + 2
    assert {len(part.conflicts) for part in found} == {CONFLICTS_A_GROUP}


@given(groups())
def test_groups_part_all_tasks_and_hold_nothing_that_cannot_run_at_once(of):
    found = split(of, SITE)
    assert sorted(id_ for part in found for id_ in part.tasks) == sorted(t.id for t in of.tasks)
    tasks = {t.id: t for t in of.tasks}
    dependencies = nx.DiGraph((d, t.id) for t in of.tasks for d in t.depends_on)
    dependencies.add_nodes_from(tasks)
    reach = {id_: nx.descendants(dependencies, id_) for id_ in tasks}
    for part in found:
        assert not any(two in reach[one] for one, two in combinations(part.tasks, 2))
        for resource, capacity in (("db", 3), ("disk", 1)):
            asked = [
                n for id_ in part.tasks for n in tasks[id_].requirements if n.resource == resource
            ]
            assert sum(n.amount for n in asked) <= capacity
            assert len(asked) < 2 or not any(n.exclusive for n in asked)
