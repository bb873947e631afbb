"""Replay: the same limits give the same run, other limits what a second run would show."""

import itertools
import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executions.scheduling.conditions import BadLimitPath, limit_at
from executions.scheduling.figures import AttemptRecord
from executions.scheduling.machine import Machine
from executions.scheduling.messages import (
    AttemptStarted,
    ExecutionSubmitted,
    LimitsChanged,
    WorkersChanged,
)
from executions.scheduling.model import AttemptState, Reason, Strategy, TaskState
from executions.scheduling.search import BetterOrder
from executions.scheduling.simulation import SimulationStalled, Submission, simulate_many
from executions.scheduling.whatif import expected_end, what_if
from tests.scheduling.builders import X, group, site, task
from tests.scheduling.planned import SITE, groups

WITHOUT_BACKOFF = [Strategy.CONTINUE_ON_FAILURE, Strategy.FAIL_FAST]
"""A backoff that ended while no slot was free is known only to within that wait."""


def really_run(of, limits, seconds=None, outcomes=None, jitter=None):
    """A run on a virtual clock that stands for a real one: its result and its attempt log."""
    log, began = [], {}

    def observe(now, events, decision):
        for t in decision.transitions:
            if t.finish is TaskState.DISPATCHED:
                began[t.task] = now
            elif t.start in {TaskState.DISPATCHED, TaskState.RUNNING} and t.attempt_state in {
                AttemptState.COMPLETED,
                AttemptState.FAILED,
                AttemptState.CANCELLED,
            }:
                start = began[t.task]
                log.append(
                    AttemptRecord(
                        t.task, t.attempt, start, start, now, now, t.attempt_state, t.reason
                    )
                )

    submission = Submission(X, of, 0.0, seconds, outcomes)
    found = simulate_many([submission], limits=limits, jitter=jitter, observe=observe)[X]
    return found, log


def ask(of, log, limits, changes=None, real_s=None, **more):
    return what_if(of, log, limits=limits, changes=changes or {}, now=1e9, real_s=real_s, **more)


@given(groups(), st.integers(0, 99), st.sampled_from(WITHOUT_BACKOFF))
def test_unchanged_limits_reproduce_the_run(of, seed, strategy):
    draw = random.Random(seed)
    of = group(*of.tasks, max_concurrency=of.max_concurrency, strategy=strategy)
    seconds = {t.id: t.duration_s * draw.uniform(0.5, 2) for t in of.tasks}
    endings = [[], [Reason.ERROR], [Reason.ERROR] * 3, [Reason.WORKER_LOST]]
    outcomes = {t.id: draw.choice(endings) for t in of.tasks}
    real, log = really_run(of, SITE, seconds, outcomes)
    if any(record.state is AttemptState.CANCELLED for record in log):
        return  # what was cut short has no end of its own to reproduce
    found = ask(of, log, SITE, real_s=real.makespan_s)
    assert found.replayed_s == pytest.approx(real.makespan_s, rel=0.02, abs=1e-6)


def test_real_durations_count_not_estimates():
    of = group(*(task(f"T{i}", duration_s=1) for i in range(4)), max_concurrency=2)
    real, log = really_run(of, {}, {"T0": 5.0, "T1": 1.0, "T2": 2.0, "T3": 3.0})
    found = ask(of, log, {}, {"max_concurrency": 4}, real_s=real.makespan_s)
    assert found.makespan_s == 5
    assert found.replayed_s == real.makespan_s == 6
    assert found.error == 0
    assert found.saves_s == 1


def test_the_prediction_is_what_a_second_run_takes():
    tasks = [task(f"T{i}", team="dev", duration_s=1 + i % 3) for i in range(20)]
    of = group(*tasks, max_concurrency=6)
    _, log = really_run(of, site(team_dev=2))
    second, _ = really_run(of, site(team_dev=5))
    found = ask(of, log, site(team_dev=2), site(team_dev=5))
    assert found.makespan_s == second.makespan_s
    assert found.as_json()["changes"] == [{"limit": "team:dev", "from": 2, "to": 5}]


def test_a_limit_that_no_task_needs_is_told_and_told_as_it_is():
    of = group(task("A", team="dev"))
    _, log = really_run(of, site(team_dev=2, team_ops=3))
    changes = site(team_dev=1, team_ops=4, team_nosuch=5)
    found = ask(of, log, site(team_dev=2, team_ops=3), changes).as_json()
    assert found["unneeded"] == ["team:ops", "team:nosuch"]
    moved = {change["limit"]: (change["from"], change["to"]) for change in found["changes"]}
    assert moved == {"team:dev": (2, 1), "team:ops": (3, 4), "team:nosuch": (0, 5)}


def test_changed_limits_are_planned_for_as_a_run_under_them_would_be():
    of = group(task("A"), task("B"), task("C", duration_s=2), max_concurrency=1)
    _, log = really_run(of, {})
    asked = []

    def order(conditions):
        asked.append(conditions.group.max_concurrency)
        return BetterOrder({"A": 1, "B": 2, "C": 0}, {"B": 1.5}, 2.5, 2.5)

    assert ask(of, log, {}, {"max_concurrency": 2}, order=order).makespan_s == 2.5
    assert ask(of, log, {}, order=order).makespan_s == 4
    assert asked == [2], "the run as it was is replayed as it was planned"


def test_an_order_found_as_a_task_ended_counts_for_what_starts_then():
    of = group(task("A"), task("B"), task("C"), max_concurrency=1)
    _, log = really_run(of, {})
    orders = [(1.0000004, {"C": 0, "B": 1})]
    found = ask(of, log, {}, orders=orders).changed
    assert {row.id: round(row.started_at, 3) for row in found.schedule} == {"A": 0, "C": 1, "B": 2}


def test_it_says_what_binds_and_what_one_more_saves():
    of = group(*(task(f"T{i}", team="dev") for i in range(6)), max_concurrency=6)
    _, log = really_run(of, site(team_dev=1))
    found = ask(of, log, site(team_dev=1), site(team_dev=2)).as_json()
    assert found["binding_limits"][0]["limit"] == "team:dev"
    assert found["advice"][0]["text"] == "dev: 2 → 3 saves 1 s"
    assert found["waits"]["T5"] == {"team:dev": 2}
    assert json.loads(json.dumps(found)) == found


def test_limits_have_the_same_names_wherever_they_are_told():
    of = group(task("A"), task("B"), max_concurrency=1)
    _, log = really_run(of, {})
    found = ask(of, log, {}).as_json()
    assert found["waits"] == {"B": {"max_concurrency": 1}}
    assert found["binding_limits"][0]["limit"] == "max_concurrency"


def test_backoffs_are_replayed_as_they_were():
    of = group(task("A"), task("B", "A"), strategy=Strategy.RETRY_FAILED)
    spread = itertools.cycle([0.9, 0.1])
    real, log = really_run(of, {}, outcomes={"A": [Reason.ERROR] * 2}, jitter=lambda: next(spread))
    found = ask(of, log, {}, real_s=real.makespan_s)
    assert found.error == pytest.approx(0)


def test_a_failure_that_was_not_tried_again_is_not_in_the_replay():
    of = group(task("A"), task("B", "A"), strategy=Strategy.RETRY_FAILED)
    log = [AttemptRecord("A", 1, 0, 0, 2, 2, AttemptState.FAILED, Reason.ERROR)]
    found = ask(of, log, {}, real_s=2.0)
    assert found.error == 0
    assert [row.status for row in found.changed.schedule] == [TaskState.FAILED, TaskState.SKIPPED]


def test_what_was_handed_back_did_not_happen():
    log = [
        AttemptRecord("A", 1, 0, 0, 3, 3, AttemptState.RETURNED),
        AttemptRecord("A", 2, 4, 4, 6, 6, AttemptState.COMPLETED),
    ]
    assert ask(group(task("A", duration_s=9)), log, {}).replayed_s == 2


def test_what_never_ran_takes_its_estimate():
    log = [AttemptRecord("A", 1, 0, 0, 2, 2, AttemptState.COMPLETED)]
    found = ask(group(task("A"), task("B", "A", duration_s=7)), log, {})
    assert (found.replayed_s, found.error) == (9, None)


def test_a_change_that_closes_what_is_needed_is_refused():
    with pytest.raises(SimulationStalled):
        ask(group(task("A", team="dev")), [], site(team_dev=1), site(team_dev=0))


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("max_concurrency", "max_concurrency"),
        ("workers", "workers"),
        ("team.dev_team", "team:dev_team"),
        ("task_type.api.v2", "task_type:api.v2"),
        ("resource:db", "resource:db"),
    ],
)
def test_limits_are_named_by_path(path, key):
    assert limit_at(path) == key


@pytest.mark.parametrize("path", ["", "team", "team.", "crew.dev", "dev_team"])
def test_a_path_that_names_no_limit_is_refused(path):
    with pytest.raises(BadLimitPath):
        limit_at(path)


def test_the_end_of_a_running_execution_counts_what_has_run():
    of = group(task("A", duration_s=4), task("B", "A", duration_s=4), max_concurrency=1)
    machine = Machine()
    machine.handle([LimitsChanged({}), WorkersChanged({"w": 1})], 100.0)
    machine.handle([ExecutionSubmitted(X, of)], 100.0)
    machine.handle([AttemptStarted(X, "A", 1, 100.0)], 100.0)
    progress = machine.progress(X)
    end = [expected_end(of, progress, {}, limits={}, now=n, worker_slots=1) for n in (101, 103)]
    assert end == [108, 108]
    late = expected_end(of, progress, {}, limits={}, now=110.0, worker_slots=1)
    assert late == pytest.approx(115)


def test_a_slow_start_delays_the_expected_end():
    of = group(task("A", duration_s=1), task("B", duration_s=1, priority=1), max_concurrency=1)
    machine = Machine()
    machine.handle([LimitsChanged({}), WorkersChanged({"w": 1}), ExecutionSubmitted(X, of)], 0.0)
    progress = machine.progress(X)
    assert expected_end(of, progress, {}, limits={}, now=0.0) == 2
    assert expected_end(of, progress, {"A": 3.0}, limits={}, now=0.0) == 6
