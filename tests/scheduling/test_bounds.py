"""Lower bounds and what they come from."""

import pytest
from hypothesis import given

from executions.scheduling import bounds as bounds_module
from executions.scheduling.bounds import CHAIN, bounds, lower_bound
from executions.scheduling.conditions import Conditions
from executions.scheduling.needs import capacities, limit_name
from tests.scheduling.builders import alone, group, site, task, units
from tests.scheduling.planned import SITE, groups


def bound(of, limits, slots=None):
    return lower_bound(of, seconds(of), capacities(of, limits, slots))


def seconds(of):
    return {t.id: float(t.duration_s or 1.0) for t in of.tasks}


def test_the_longest_chain_bounds_where_there_is_room_for_all():
    of = group(task("A", duration_s=2), task("B", "A", duration_s=3), task("C", duration_s=4))
    assert bound(of, {}) == (CHAIN, 5.0)


@pytest.mark.parametrize(
    ("fields", "limits", "expected"),
    [
        ({"team": "dev"}, site(team_dev=2), ("team:dev", 4.0)),
        ({"task_type": "api"}, site(task_type_api=1), ("task_type:api", 8.0)),
        ({"needs": (units("db", 3),)}, site(resource_db=4), ("resource:db", 6.0)),
        ({"needs": (alone("db"),)}, site(resource_db=4), ("resource:db", 8.0)),
    ],
)
def test_the_work_under_each_limit_bounds(fields, limits, expected):
    of = group(*(task(f"T{i}", duration_s=2, **fields) for i in range(4)))
    assert bound(of, limits) == expected


def test_slots_bound_too_and_those_of_workers():
    of = group(*(task(f"T{i}") for i in range(12)), max_concurrency=4)
    assert bound(of, {}) == ("max_concurrency", 3.0)
    assert bound(of, {}, 2) == ("workers", 6.0)


def test_of_the_groups_own_and_the_sites_limit_the_lower_holds():
    of = group(*(task(f"T{i}", team="dev") for i in range(6)), limits=site(team_dev=2))
    assert bound(of, site(team_dev=3)).seconds == 3.0
    assert bound(of, site(team_dev=1)).seconds == 6.0


def test_what_is_closed_bounds_nothing():
    of = group(task("A", team="dev"))
    assert capacities(of, {})["team:dev"] == 0
    assert bound(of, {}).limit in {CHAIN, "max_concurrency"}


def test_bounds_come_greatest_first():
    of = group(*(task(f"T{i}", team="dev") for i in range(6)))
    found = bounds(of, seconds(of), capacities(of, site(team_dev=2)))
    assert [b.seconds for b in found] == sorted((b.seconds for b in found), reverse=True)


def test_an_executions_own_limits_are_named_without_its_id():
    assert limit_name("PEXEC-1/max_concurrency") == "max_concurrency"
    assert limit_name("PEXEC-1/team:dev") == "own/team:dev"
    assert limit_name("resource:a/b") == "resource:a/b"


def test_what_must_come_before_and_after_the_work_counts_too():
    middle = [task(f"M{i}", "A") for i in range(4)]
    of = group(task("A"), *middle, task("Z", *(t.id for t in middle)), max_concurrency=2)
    assert bounds(of, seconds(of), capacities(of, {}))[0].seconds == 3
    assert bound(of, {}) == ("max_concurrency", 4)


def test_large_groups_try_fewer_starts_and_are_bounded_all_the_same(monkeypatch):
    monkeypatch.setattr(bounds_module, "LOOKS_AT_MOST", 1)
    middle = [task(f"M{i}") for i in range(4)]
    of = group(*middle, task("Z", *(t.id for t in middle)), max_concurrency=2)
    assert bound(of, {}) == ("max_concurrency", 3)


@given(groups())
def test_no_run_beats_the_bound(of):
    conditions = Conditions(of, SITE)
    durations = {t.id: t.duration_s for t in of.tasks}
    found = lower_bound(of, durations, conditions.capacities())
    parts = bounds(of, durations, conditions.capacities())
    assert parts[0].seconds <= found.seconds <= conditions.run().makespan_s + 1e-9
    assert found.limit in {part.limit for part in parts}
