"""What a plan says: its forecast, bounds, advice, lint, and where durations come from."""

import json

import pytest
from hypothesis import given

from executions.scheduling.estimates import DurationSource, estimate, estimates
from executions.scheduling.model import WORKERS
from executions.scheduling.planning import plan
from tests.scheduling.builders import group, site, task, units
from tests.scheduling.planned import SITE, groups


def findings(found):
    return [(lint.finding.value, lint.limit, lint.tasks) for lint in found.lint]


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ((4.0, 3.0, 2.0), (4.0, "task")),
        ((None, 3.0, 2.0), (3.0, "history")),
        ((None, None, 2.0), (2.0, "group")),
        ((None, None, None), (1.0, "default")),
        ((0.0, 3.0, 2.0), (0.0, "task")),
    ],
)
def test_a_duration_comes_from_the_first_that_is_known(known, expected):
    found = estimate(*known)
    assert (found.seconds, found.source.value) == expected


def test_the_groups_median_is_over_what_is_known_of_it():
    of = group(task("A", duration_s=2), task("B"), task("C"), task("D", duration_s=9))
    found = estimates(of, {"B": 4.0})
    assert found["C"].seconds == 4.0
    assert found["C"].source is DurationSource.GROUP


def test_the_plan_says_what_it_knows():
    of = group(
        task("A", duration_s=2, team="dev"),
        task("B", duration_s=2, team="dev"),
        task("C", "A", duration_s=3),
    )
    found = plan(of, limits=site(team_dev=1)).as_json()
    assert found["forecast"]["makespan_s"] == 5
    assert found["forecast"]["schedule"][2] == {
        "id": "C",
        "started_at": 2,
        "finished_at": 5,
        "status": "completed",
    }
    assert found["lower_bound_s"] == 5
    assert found["critical_path"] == ["A", "C"]
    assert found["dependencies"] == {"A": [], "B": [], "C": ["A"]}
    assert found["duration_sources"] == {"task": 3}
    assert found["speedup_factor"] == 1.4
    assert json.loads(json.dumps(found)) == found


def test_what_binds_and_what_one_more_saves():
    of = group(*(task(f"T{i}", duration_s=210, team="design_team") for i in range(6)))
    found = plan(of, limits=site(team_design_team=2)).as_json()
    assert found["binding"]["limit"] == "team:design_team"
    assert [advice["text"] for advice in found["advice"]] == ["design_team: 2 → 3 saves 210 s"]


def test_one_more_of_what_the_group_limits_itself_is_tried_too():
    of = group(*(task(f"T{i}", team="dev") for i in range(4)), limits=site(team_dev=1))
    found = plan(of, limits=site(team_dev=9))
    assert [(a.limit, a.now, a.then, a.saves_s) for a in found.advice] == [("team:dev", 1, 2, 2.0)]


def test_free_workers_bind_like_any_limit():
    of = group(*(task(f"T{i}") for i in range(4)))
    found = plan(of, limits={}, worker_slots=2)
    assert found.makespan_s == 2
    assert found.binding()["limit"] == WORKERS


def test_learned_durations_decide_the_order():
    of = group(task("A"), task("B"), task("C"), max_concurrency=2)
    found = plan(of, limits={}, history_s={"A": 1.0, "B": 1.0, "C": 2.0})
    assert found.makespan_s == 2


def test_a_closed_limit_leaves_no_forecast_but_a_plan():
    found = plan(group(task("A", team="dev"), task("B")), limits={})
    assert found.as_json()["forecast"] == {"makespan_s": None, "schedule": []}
    assert ("closed", "team:dev", ("A",)) in findings(found)


def test_a_limit_out_of_reach_is_told():
    of = group(task("A", team="dev"), task("B", team="dev"), task("C"), max_concurrency=9)
    found = findings(plan(of, limits=site(team_dev=1)))
    assert ("out_of_reach", "max_concurrency", ("A", "B", "C")) in found
    reach = plan(of, limits=site(team_dev=1)).lint[0].message
    assert reach == "max_concurrency allows 9 at once, but at most 2 can ever be in use"


def test_a_need_of_everything_is_told():
    of = group(task("A", needs=(units("db", 3),)), task("B", needs=(units("db"),)))
    assert ("whole_capacity", "resource:db", ("A",)) in findings(
        plan(of, limits=site(resource_db=3))
    )


def test_a_task_alone_on_the_critical_path_is_told():
    of = group(
        task("A"), task("B"), task("J", "A", "B", duration_s=3), task("C", "J"), task("D", "J")
    )
    assert ("lone_task", "", ("J",)) in findings(plan(of, limits={}))


@given(groups())
def test_no_forecast_beats_the_bound_and_every_group_can_run_at_once(of):
    found = plan(of, limits=SITE)
    assert found.makespan_s >= found.bound.seconds - 1e-9
    assert sorted(id_ for part in found.groups for id_ in part.tasks) == sorted(
        t.id for t in of.tasks
    )
    assert all(advice.saves_s > 0 for advice in found.advice)
