"""How task runs and executions change state: wishes in, transitions and instructions out.

A handler never sets a state, it wishes for one. `apply` takes wishes one by one through the table
`(start, finish) → function`; what a change implies for other tasks is wished for in turn. Two
different wishes for one task are an error, and so is a loop without end.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

from executions.scheduling import policy, waiting
from executions.scheduling.admission import Admission
from executions.scheduling.capacity import OPEN
from executions.scheduling.messages import (
    Dispatch,
    ExecutionTransition,
    Instruction,
    StopAttempt,
    Transition,
    make,
)
from executions.scheduling.model import (
    FINAL_EXECUTION_STATES,
    OPEN_TASK_STATES,
    AttemptState,
    ExecutionState,
    OnCriticalFailure,
    Outcome,
    Reason,
    Strategy,
    TaskState,
)
from executions.scheduling.runs import ExecutionRun, PlanHold, TaskRun, Wish
from executions.scheduling.story import InvariantBroken, Story

WISHES_A_TASK: Final = 8
"""More changes than that for each open task in one decision are a loop without end."""

EXECUTION_STEPS: Final[Mapping[ExecutionState, frozenset[ExecutionState]]] = {
    ExecutionState.PENDING: frozenset({ExecutionState.RUNNING, ExecutionState.CANCELLING}),
    ExecutionState.RUNNING: frozenset(
        {
            ExecutionState.PAUSED,
            ExecutionState.CANCELLING,
            ExecutionState.COMPLETED,
            ExecutionState.FAILED,
        }
    ),
    ExecutionState.PAUSED: frozenset(
        {
            ExecutionState.RUNNING,
            ExecutionState.CANCELLING,
            ExecutionState.COMPLETED,
            ExecutionState.FAILED,
        }
    ),
    ExecutionState.CANCELLING: frozenset({ExecutionState.CANCELLED, ExecutionState.FAILED}),
}


QUEUED: Final = Wish(TaskState.QUEUED)
DISPATCHED: Final = Wish(TaskState.DISPATCHED, attempt_state=AttemptState.DISPATCHED)
DONE: Final = TaskState.COMPLETED
ENDED_WELL: Final = AttemptState.COMPLETED
BLOCKED: Final = TaskState.BLOCKED
"""Asked for at every turn: as members of their enumerations they are found far slower."""


def completed(started_at: float, finished_at: float) -> Wish:
    """An attempt ended well then."""
    return make(
        Wish,
        (DONE, ENDED_WELL, started_at, finished_at, None, "", "", None, None, None, False),
    )


class Lifecycle:
    """The states of all open executions, and what one decision has changed so far."""

    def __init__(self, admission: Admission, jitter: Callable[[], float]) -> None:
        """Nothing has happened."""
        self.now = float("-inf")
        self.admission = admission
        self.why: object = ""
        self.transitions: list[Transition] = []
        self.steps: list[ExecutionTransition] = []
        self.instructions: list[Instruction] = []
        self.stops: dict[TaskRun, StopAttempt] = {}
        self.over: list[ExecutionRun] = []
        self.timers: list[tuple[float, int, TaskRun | ExecutionRun | PlanHold]] = []
        self.open_tasks = 0
        self._timer_numbers = 0
        self._jitter = jitter
        self._wished: deque[TaskRun] = deque()
        self.story = Story()

    # ------------------------------------------------------------ wishes

    def wish(self, run: TaskRun, wish: Wish) -> None:
        """The task run shall have that state."""
        if run.wish is None:
            run.wish = wish
            self._wished.append(run)
        elif run.wish != wish:
            raise InvariantBroken(
                f"two wishes for {run.execution.id} {run.id}: {run.wish} and {wish}",
                self.story.of(run.execution.id, run.id),
            )

    def apply(self) -> None:
        """Let all wishes come true, and what follows from them."""
        wished = self._wished
        for _ in range(WISHES_A_TASK * (self.open_tasks + 1)):
            if not wished:
                return
            run = wished.popleft()
            wish, run.wish = run.wish, None
            assert wish is not None
            self._apply_one(run, wish)
        if wished:
            run = wished[0]
            raise InvariantBroken(
                f"no end of changes at {run.id}", self.story.of(run.execution.id, run.id)
            )

    def dispatch(self, run: TaskRun) -> None:
        """The task run gets its slot and its next attempt."""
        self._apply_one(run, DISPATCHED)

    def _apply_one(self, run: TaskRun, wish: Wish) -> None:
        start = run.state
        finish, ended, began_at, ended_at, reason, error, cause, not_before, _, _, _ = wish
        try:
            change = TRANSITIONS[start, finish]
        except KeyError:
            raise InvariantBroken(
                f"{run.execution.id} {run.id} cannot go from {start} to {finish}",
                self.story.of(run.execution.id, run.id),
            ) from None
        execution, id_, now, number = run.execution.id, run.id, self.now, run.attempts
        self.story.tell((now, execution, id_, start, finish, self.why))
        run.state = finish
        change(self, run, wish)
        run.since = now
        if ended is None:
            number = 0
        elif run.attempts > number:
            number = run.attempts
        self.transitions.append(
            make(
                Transition,
                (
                    execution,
                    id_,
                    start,
                    finish,
                    now,
                    number,
                    ended,
                    began_at,
                    ended_at,
                    reason,
                    error,
                    cause,
                    run.attempts,
                    run.failures,
                    run.losses,
                    not_before,
                    run.waits if start in WAITING_STATES else None,
                ),
            )
        )
        if finish not in OPEN_TASK_STATES:
            self._ended(run)

    # ------------------------------------------------------------ effects, by the table

    def queue(self, run: TaskRun, _wish: Wish) -> None:
        """It joins its demand's queue."""
        waiting.enter(run, self.now)
        self.admission.enqueue(run)

    def unqueue(self, run: TaskRun, wish: Wish) -> None:
        """It leaves its demand's queue for good."""
        waiting.leave(run, self.now)
        self.admission.dequeue(run)
        self.drop(run, wish)

    def drop(self, run: TaskRun, wish: Wish) -> None:
        """It will never run, so what depends on it will not either."""
        self._skip_dependents(run, wish.cause or run.id)

    def take_slot(self, run: TaskRun, _wish: Wish) -> None:
        """It takes its slot; a new attempt begins."""
        waiting.leave(run, self.now)
        attempt = run.attempts = run.attempts + 1
        worker = self.admission.admit(run)
        run.dispatched_at = self.now
        run.started_at = None
        run.is_stopping = False
        execution, id_ = run.execution, run.id
        execution.live[id_] = run
        self.instructions.append(make(Dispatch, (execution.id, id_, attempt, worker)))
        if not worker:
            self.watch_time_limit(run)

    def start(self, run: TaskRun, wish: Wish) -> None:
        """Its attempt began."""
        run.started_at = wish.started_at
        self.watch_time_limit(run)

    def complete(self, run: TaskRun, _wish: Wish) -> None:
        """It is done: dependents that waited for nothing else are queued."""
        self._leave_slot(run)
        for dependent in run.dependents:
            dependent.needs_left -= 1
            if not dependent.needs_left and dependent.state is BLOCKED:
                self.wish(dependent, QUEUED)

    def fail(self, run: TaskRun, wish: Wish) -> None:
        """It failed for good: the strategy says what that means for others."""
        self._leave_slot(run)
        self._charge(run, wish)
        self._skip_dependents(run, run.id)
        execution, group = run.execution, run.execution.group
        if execution.state is ExecutionState.CANCELLING:
            return
        if group.strategy is Strategy.FAIL_FAST:
            error = f"Stopped at the first failure: {run.id}"
            self.stop(execution, ExecutionState.FAILED, error, run.id)
        elif run.critical and not execution.critical_failure:
            execution.critical_failure = run.id
            if group.on_critical_failure is OnCriticalFailure.STOP:
                error = f"The critical phase failed: {run.id}"
                self.stop(execution, ExecutionState.FAILED, error, run.id)
            else:
                self.stop_critical(execution)

    def end_stopped(self, run: TaskRun, wish: Wish) -> None:
        """Its attempt was stopped, or came back while the run stops."""
        self._leave_slot(run)
        self._charge(run, wish)
        self._skip_dependents(run, run.cause or run.id)

    def requeue(self, run: TaskRun, wish: Wish) -> None:
        """Its attempt came to nothing and costs nothing: it is queued again."""
        self._leave_slot(run)
        self._charge(run, wish)
        self.queue(run, wish)

    def await_retry(self, run: TaskRun, wish: Wish) -> None:
        """Its attempt failed; the next is due later. It holds no slot meanwhile."""
        self._leave_slot(run)
        self._charge(run, wish)
        run.not_before = wish.not_before
        assert wish.not_before is not None
        self.wake(wish.not_before, run)

    def retry(self, run: TaskRun, wish: Wish) -> None:
        """Its next attempt is due."""
        self._leave_backoff(run)
        self.queue(run, wish)

    def give_up_retry(self, run: TaskRun, wish: Wish) -> None:
        """The run stopped before its next attempt was due."""
        self._leave_backoff(run)
        self.drop(run, wish)

    def _leave_slot(self, run: TaskRun) -> None:
        del run.execution.live[run.id]
        if run.is_stopping:
            self.stops.pop(run, None)
        self.admission.release(run)

    def _leave_backoff(self, run: TaskRun) -> None:
        waiting.back_off(run, self.now - run.since)
        run.not_before = None

    @staticmethod
    def _charge(run: TaskRun, wish: Wish) -> None:
        if wish.failures is not None:
            run.failures = wish.failures
        if wish.losses is not None:
            run.losses = wish.losses
        if wish.unused:
            run.attempts -= 1

    def _skip_dependents(self, run: TaskRun, cause: str) -> None:
        if not run.dependents:
            return
        skipped = Wish(TaskState.SKIPPED, cause=cause)
        for dependent in run.dependents:
            if dependent.state is TaskState.BLOCKED and dependent.wish is None:
                self.wish(dependent, skipped)

    def _ended(self, run: TaskRun) -> None:
        execution = run.execution
        self.open_tasks -= 1
        execution.tasks_left -= 1
        if run.critical:
            execution.critical_left -= 1
            if not execution.critical_left:
                execution.critical_phase.resize(OPEN)
        if not execution.tasks_left:
            self.finish(execution)

    # ------------------------------------------------------------ executions

    def step(
        self,
        execution: ExecutionRun,
        finish: ExecutionState,
        *,
        outcome: Outcome | None = None,
        error: str = "",
        stopping_to: ExecutionState | None = None,
    ) -> None:
        """The execution goes on to another state."""
        start = execution.state
        if finish not in EXECUTION_STEPS.get(start, frozenset()):
            raise InvariantBroken(f"{execution.id} cannot go from {start} to {finish}")
        execution.state = finish
        execution.error = error or execution.error
        execution.stopping_to = stopping_to
        self.steps.append(
            ExecutionTransition(
                execution.id, start, finish, self.now, outcome, execution.error, stopping_to
            )
        )

    def finish(self, execution: ExecutionRun) -> None:
        """All its task runs have ended."""
        if execution.state in FINAL_EXECUTION_STATES:
            return
        outcome = policy.outcome_of(execution.counts())
        finish = execution.stopping_to or policy.end_of(outcome)
        none_completed = finish is ExecutionState.FAILED and not execution.error
        error = policy.NONE_COMPLETED_ERROR if none_completed else ""
        self.step(execution, finish, outcome=outcome, error=error)
        self.over.append(execution)

    def stop(self, execution: ExecutionRun, to: ExecutionState, error: str, cause: str) -> None:
        """End the execution: stop what is live, drop the rest."""
        self.step(execution, ExecutionState.CANCELLING, error=error, stopping_to=to)
        self.stop_tasks(execution, cause)

    def stop_tasks(self, execution: ExecutionRun, cause: str, *, critical: bool = False) -> None:
        """Stop every open task run, or only those of the critical phase."""
        for run in execution.tasks.values():
            if run.state not in OPEN_TASK_STATES or (critical and not run.critical):
                continue
            if run.is_live:
                self.stop_attempt(run, cause)
            elif run.wish is None:
                self.wish(run, Wish(policy.stopped_state(run.attempts), cause=cause))
        if not execution.tasks_left:
            self.finish(execution)

    def stop_critical(self, execution: ExecutionRun) -> None:
        """Fail-fast within the critical phase; the rest goes on after it."""
        self.stop_tasks(execution, execution.critical_failure, critical=True)

    def stop_attempt(self, run: TaskRun, cause: str) -> None:
        """End a live attempt. Work outside the workers ends at once."""
        run.cause = cause
        if run.worker:
            run.is_stopping = True
            self.stops[run] = StopAttempt(run.execution.id, run.id, run.attempts, run.worker)
        else:
            self.wish(
                run,
                Wish(
                    TaskState.CANCELLED,
                    AttemptState.CANCELLED,
                    started_at=run.started_at,
                    finished_at=self.now,
                    cause=cause,
                ),
            )

    # ------------------------------------------------------------ failures and time

    def judge(
        self,
        run: TaskRun,
        reason: Reason,
        error: str,
        *,
        retryable: bool = True,
        started_at: float | None,
        finished_at: float | None,
    ) -> None:
        """An attempt failed: fail, retry or queue the task run."""
        execution = run.execution
        verdict = policy.after_failure(
            execution.group,
            run.task,
            failures=run.failures,
            losses=run.losses,
            reason=reason,
            error=error,
            retryable=retryable,
        )
        following = verdict.next
        if run.is_stopping and following is not policy.Next.FAIL:
            following = policy.Next.FAIL
        finish = NEXT_STATE[following]
        not_before = None
        if following is policy.Next.RETRY:
            not_before = self.now + policy.backoff_s(verdict.failures, self._jitter())
        self.wish(
            run,
            Wish(
                finish,
                AttemptState.FAILED,
                started_at=started_at,
                finished_at=finished_at,
                reason=reason,
                error=verdict.error,
                not_before=not_before,
                failures=verdict.failures,
                losses=verdict.losses,
            ),
        )

    def watch_time_limit(self, run: TaskRun) -> None:
        """Work outside the workers is ended by the machine itself."""
        if not run.worker:
            self.wake(deadline(run), run)

    def wake(self, at: float, whom: TaskRun | ExecutionRun | PlanHold) -> None:
        """Look at it again then."""
        self._timer_numbers += 1
        heapq.heappush(self.timers, (at, self._timer_numbers, whom))

    def forget(self, execution: ExecutionRun) -> None:
        """Nothing of a closed execution is due any more."""
        self.timers = [
            timer
            for timer in self.timers
            if timer[2] is not execution and getattr(timer[2], "execution", None) is not execution
        ]
        heapq.heapify(self.timers)


def deadline(run: TaskRun) -> float:
    """When the time of a live attempt is up; before it began, counted from its dispatch."""
    timeout_s = run.task.timeout_s
    if timeout_s is None:
        timeout_s = run.execution.group.timeout_s
    return run.began_at + timeout_s


WAITING_STATES: Final = frozenset({TaskState.QUEUED, TaskState.RETRYING})
NEXT_STATE: Final = {
    policy.Next.QUEUE: TaskState.QUEUED,
    policy.Next.RETRY: TaskState.RETRYING,
    policy.Next.FAIL: TaskState.FAILED,
}

_S = TaskState
TRANSITIONS: Final[
    Mapping[tuple[TaskState, TaskState], Callable[[Lifecycle, TaskRun, Wish], None]]
] = {
    (_S.BLOCKED, _S.QUEUED): Lifecycle.queue,
    (_S.BLOCKED, _S.SKIPPED): Lifecycle.drop,
    (_S.QUEUED, _S.DISPATCHED): Lifecycle.take_slot,
    (_S.QUEUED, _S.SKIPPED): Lifecycle.unqueue,
    (_S.QUEUED, _S.CANCELLED): Lifecycle.unqueue,
    (_S.DISPATCHED, _S.RUNNING): Lifecycle.start,
    (_S.DISPATCHED, _S.COMPLETED): Lifecycle.complete,
    (_S.DISPATCHED, _S.FAILED): Lifecycle.fail,
    (_S.DISPATCHED, _S.CANCELLED): Lifecycle.end_stopped,
    (_S.DISPATCHED, _S.SKIPPED): Lifecycle.end_stopped,
    (_S.DISPATCHED, _S.QUEUED): Lifecycle.requeue,
    (_S.DISPATCHED, _S.RETRYING): Lifecycle.await_retry,
    (_S.RUNNING, _S.COMPLETED): Lifecycle.complete,
    (_S.RUNNING, _S.FAILED): Lifecycle.fail,
    (_S.RUNNING, _S.CANCELLED): Lifecycle.end_stopped,
    (_S.RUNNING, _S.QUEUED): Lifecycle.requeue,
    (_S.RUNNING, _S.RETRYING): Lifecycle.await_retry,
    (_S.RETRYING, _S.QUEUED): Lifecycle.retry,
    (_S.RETRYING, _S.CANCELLED): Lifecycle.give_up_retry,
}
"""Every change of state there is, and what comes with it."""
