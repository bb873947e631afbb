"""Failures, retries, losses, cancels, time limits: what a task run and its run become."""

import pytest

from executions.scheduling.messages import (
    AttemptCancelled,
    AttemptCompleted,
    AttemptLost,
    AttemptReturned,
    AttemptStarted,
    CancelRequested,
    CloseExecution,
    PauseRequested,
    ResumeRequested,
    StopAttempt,
    Tick,
    WakeAt,
    WorkersChanged,
)
from executions.scheduling.model import OnCriticalFailure, Reason, Strategy
from executions.scheduling.story import InvariantBroken
from tests.scheduling.builders import Site, X, group, task


def ends(it: Site) -> list[tuple[str, str | None]]:
    return [(step.finish.value, step.outcome) for step in it.decision.executions]


def test_a_failure_skips_only_what_depends_on_it():
    it = Site()
    it.submit(group(task("A"), task("B", "A"), task("C", "B"), task("D")))
    it.fail("A")
    assert it.moves == {"A": "failed", "B": "skipped", "C": "skipped"}
    assert [t.cause for t in it.decision.transitions] == ["", "A", "A"]
    it.complete("D")
    assert ends(it) == [("completed", "partial")]
    assert it.instructions(CloseExecution)


def test_a_run_in_which_nothing_completed_failed():
    it = Site()
    it.submit(group(task("A")))
    it.fail("A")
    assert ends(it) == [("failed", "failure")]


def test_fail_fast_stops_what_runs_and_skips_the_rest():
    it = Site()
    it.submit(group(task("A"), task("B"), task("C", "B"), strategy=Strategy.FAIL_FAST))
    it.fail("A")
    assert it.moves == {"A": "failed", "C": "skipped"}
    assert [stop.task for stop in it.instructions(StopAttempt)] == ["B"]
    assert ends(it) == [("cancelling", None)]
    it.tell(AttemptCancelled(X, "B", 1, it.now, it.now))
    assert ends(it) == [("failed", "failure")]
    assert it.decision.executions[0].error == "Stopped at the first failure: A"


def test_only_what_failed_is_tried_again_and_holds_no_slot_meanwhile():
    it = Site(jitter=lambda: 0.5)
    it.submit(group(task("A"), task("B"), strategy=Strategy.RETRY_FAILED, max_concurrency=1))
    it.fail("A")
    assert it.moves == {"A": "retrying", "B": "dispatched"}
    assert it.instructions(WakeAt) == [WakeAt(2.0)]
    it.complete("B", after=0.5)
    assert it.dispatched == []
    it.tell(Tick(), after=0.5)
    assert it.moves == {"A": "dispatched"}
    assert it.decision.transitions[0].waits == {"backoff": 1.0}
    it.complete("A", attempt=2)
    assert ends(it) == [("completed", "success")]


def test_a_tasks_own_retries_come_before_the_groups():
    it = Site()
    it.submit(group(task("A", max_retries=0), strategy=Strategy.RETRY_FAILED, max_retries=5))
    it.fail("A")
    assert it.moves == {"A": "failed"}


@pytest.mark.parametrize("more", [{"retryable": False}, {"reason": Reason.REJECTED}])
def test_what_could_never_succeed_is_not_tried_again(more):
    it = Site()
    it.submit(group(task("A"), strategy=Strategy.RETRY_FAILED))
    it.fail("A", **more)
    assert it.moves == {"A": "failed"}


def test_the_backoff_doubles_up_to_a_minute():
    it = Site()
    it.submit(group(task("A"), strategy=Strategy.RETRY_FAILED, max_retries=9))
    waits = []
    for attempt in range(1, 10):
        it.fail("A", attempt=attempt)
        wait_s = it.instructions(WakeAt)[0].at - it.now
        waits.append(wait_s)
        it.tell(Tick(), after=wait_s)
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_a_lost_worker_costs_no_retry_once_and_then_fails_the_task():
    it = Site()
    it.submit(group(task("A")))
    it.tell(AttemptLost(X, "A", 1))
    assert it.moves == {"A": "dispatched"}
    it.tell(AttemptLost(X, "A", 2))
    assert it.moves == {"A": "failed"}
    assert it.decision.transitions[0].reason is Reason.WORKER_LOST


def test_a_task_that_lost_three_workers_is_given_up():
    it = Site()
    it.submit(group(task("A"), retry_on_lost=9, strategy=Strategy.RETRY_FAILED))
    for attempt in (1, 2, 3):
        it.tell(AttemptLost(X, "A", attempt))
    assert it.moves == {"A": "failed"}
    assert "Lost 3 workers" in it.decision.transitions[0].error


def test_a_returned_attempt_uses_its_number_again_only_if_it_had_not_begun():
    it = Site(slots=1)
    it.submit(group(task("A")))
    it.tell(WorkersChanged({"v": 1}), AttemptReturned(X, "A", 1, started=False))
    assert [(i.attempt, i.worker) for i in it.decision.instructions] == [(1, "v")]
    it.tell(AttemptReturned(X, "A", 1, started=True))
    assert [i.attempt for i in it.decision.instructions] == [2]
    last = it.decision.transitions[-1]
    assert (last.attempts, last.failures, last.losses) == (2, 0, 0)


def test_late_repeated_and_unknown_messages_change_nothing():
    it = Site()
    it.submit(group(task("A"), task("B")))
    it.complete("A")
    for event in (
        AttemptCompleted(X, "A", 1, 0, 1),
        AttemptStarted(X, "A", 1, 0),
        AttemptCompleted(X, "B", 7, 0, 1),
        AttemptLost("PEXEC-9", "B", 1),
        CancelRequested("PEXEC-9"),
    ):
        it.tell(event)
        assert (it.decision.transitions, it.decision.executions) == ((), ())
    it.submit(group(task("other")))
    assert it.dispatched == []


def test_a_cancelled_run_waits_for_what_it_stops():
    it = Site(slots=2)
    it.submit(group(task("A"), task("B"), task("C"), task("D", "A")))
    it.tell(CancelRequested(X))
    assert it.moves == {"C": "skipped", "D": "skipped"}
    assert [stop.task for stop in it.instructions(StopAttempt)] == ["A", "B"]
    it.tell(CancelRequested(X))
    assert it.instructions(StopAttempt) == []
    it.complete("A")
    assert it.moves == {"A": "completed"}
    it.tell(AttemptLost(X, "B", 1))
    assert it.moves == {"B": "cancelled"}
    assert ends(it) == [("cancelled", "partial")]


def test_a_cancelled_run_gives_up_a_retry():
    it = Site()
    it.submit(group(task("A"), strategy=Strategy.RETRY_FAILED))
    it.fail("A")
    it.tell(CancelRequested(X))
    assert it.moves == {"A": "cancelled"}
    assert ends(it) == [("cancelling", None), ("cancelled", "failure")]


def test_a_paused_run_starts_nothing_new():
    it = Site(slots=1)
    it.submit(group(task("A"), task("B")))
    it.tell(PauseRequested(X))
    it.complete("A")
    assert it.dispatched == []
    assert it.keys() == [("paused",)]
    it.tell(ResumeRequested(X), after=5)
    assert it.dispatched == ["B"]
    assert it.decision.transitions[0].waits == {"paused": 6}


def test_a_run_over_its_time_limit_fails():
    it = Site()
    it.submit(group(task("A"), task("B", "A"), run_timeout_s=10))
    it.tell(AttemptStarted(X, "A", 1, 0))
    assert it.instructions(WakeAt) == [WakeAt(10)]
    it.tell(Tick(), after=10)
    assert it.moves == {"B": "skipped"}
    it.tell(AttemptCancelled(X, "A", 1, 0, it.now))
    assert ends(it) == [("failed", "failure")]
    assert it.decision.executions[0].error == "The run exceeded its time limit"


def test_work_outside_the_workers_needs_no_slot_and_is_timed_out_here():
    it = Site(slots=0)
    it.submit(group(task("A", needs_worker=False, timeout_s=10)))
    assert it.decision.instructions[0].worker == ""
    it.tell(AttemptStarted(X, "A", 1, 4), after=4)
    it.tell(Tick(), after=6)
    assert it.moves == {}
    it.tell(Tick(), after=4)
    assert it.decision.transitions[0].reason is Reason.TIMEOUT


def test_work_outside_the_workers_is_stopped_at_once():
    it = Site()
    it.submit(group(task("A", needs_worker=False)))
    it.tell(CancelRequested(X))
    assert it.moves == {"A": "cancelled"}
    assert ends(it)[-1] == ("cancelled", "failure")


CRITICAL = (task("A", priority=95), task("B", priority=95), task("C", "A"), task("D"))


def test_a_failed_critical_phase_fails_the_run():
    it = Site()
    it.submit(group(*CRITICAL, critical_first=True))
    it.fail("A")
    assert it.moves == {"A": "failed", "C": "skipped", "D": "skipped"}
    it.tell(AttemptCancelled(X, "B", 1, 0, it.now))
    assert ends(it) == [("failed", "failure")]


def test_a_failed_critical_phase_may_let_the_rest_run():
    it = Site()
    it.submit(group(*CRITICAL, critical_first=True, on_critical_failure=OnCriticalFailure.CONTINUE))
    it.fail("A")
    assert it.moves == {"A": "failed", "C": "skipped"}
    assert [stop.task for stop in it.instructions(StopAttempt)] == ["B"]
    it.tell(AttemptCancelled(X, "B", 1, 0, it.now))
    assert it.moves == {"B": "cancelled", "D": "dispatched"}
    it.complete("D")
    assert ends(it) == [("completed", "partial")]


def test_a_contradiction_is_told_with_its_story():
    it = Site()
    it.submit(group(task("A")))
    it.machine._executions[X].tasks["A"].state = "completed"
    with pytest.raises(InvariantBroken):
        it.tell(Tick())
    it = Site()
    it.submit(group(task("A")))
    assert [line.what for line in it.machine.story(X, "A")] == [
        "blocked → queued",
        "queued → dispatched",
    ]
