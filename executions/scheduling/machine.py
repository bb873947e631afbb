"""The scheduler: `Machine.handle(events, now) → Decision`. Everything that decides is behind it.

Holds the live state of every open execution. Given the same events and times it decides the
same, always. Events about what is not (any more) there change nothing.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from executions.scheduling import checks, policy, waiting
from executions.scheduling.admission import Admission
from executions.scheduling.capacity import OPEN, Capacity
from executions.scheduling.lifecycle import (
    QUEUED,
    Lifecycle,
    completed,
    deadline,
)
from executions.scheduling.messages import (
    AttemptCancelled,
    AttemptCompleted,
    AttemptFailed,
    AttemptLost,
    AttemptReturned,
    AttemptStarted,
    AttemptTimedOut,
    CancelRequested,
    CloseExecution,
    Decision,
    Event,
    ExecutionSubmitted,
    LimitsChanged,
    PauseRequested,
    RanksChanged,
    ResumeRequested,
    Tick,
    WaitChange,
    WakeAt,
    WorkersChanged,
    make,
)
from executions.scheduling.model import (
    FINAL_TASK_STATES,
    AttemptState,
    ExecutionProgress,
    ExecutionState,
    Hold,
    LimitKey,
    OnCriticalFailure,
    Reason,
    TaskState,
)
from executions.scheduling.opening import open_execution
from executions.scheduling.runs import ExecutionRun, PlanHold, TaskRun, Wish
from executions.scheduling.story import InvariantBroken, StoryLine

__all__ = ["InvariantBroken", "Machine", "StoryLine", "UnknownExecution"]


class UnknownExecution(KeyError):  # noqa: N818 named for what is
    """No such execution is open. Closed ones are in the database only."""


def no_jitter() -> float:
    """The middle of the spread."""
    return 0.5


class Machine:
    """All open executions over one site. One thread at a time."""

    def __init__(self, *, jitter: Callable[[], float] = no_jitter) -> None:
        """`jitter` answers a number from 0 to 1 each time: `random.Random(…).random`."""
        self._capacity = Capacity()
        self._admission = Admission(self._capacity)
        self._life = Lifecycle(self._admission, jitter)
        self._executions: dict[str, ExecutionRun] = {}
        self._planned: dict[str, ExecutionRun] = {}
        """Those whose plan holds something back."""
        self._opened = 0
        self._taken_up: list[TaskRun] = []
        self._handlers: dict[type, Callable[..., None]] = {
            ExecutionSubmitted: self._submitted,
            AttemptStarted: self._started,
            AttemptCompleted: self._completed,
            AttemptFailed: self._failed,
            AttemptTimedOut: self._timed_out,
            AttemptCancelled: self._cancelled,
            AttemptLost: self._lost,
            AttemptReturned: self._returned,
            CancelRequested: self._cancel,
            PauseRequested: self._pause,
            ResumeRequested: self._resume,
            LimitsChanged: self._limits_changed,
            WorkersChanged: self._workers_changed,
            RanksChanged: self._ranks_changed,
            Tick: self._tick,
        }

    def handle(self, events: Sequence[Event], now: float) -> Decision:
        """Take in what happened and decide. A `now` before the last one counts as the last one."""
        life = self._life
        life.now = max(life.now, now)
        for event in events:
            life.why = event
            self._handlers[type(event)](event)
            life.apply()
        if life.timers and life.timers[0][0] <= life.now:
            self._ring()
        life.why = "admitted"
        self._admission.admit_all(life.dispatch)
        if self._planned and self._drop_idle_plans():
            self._admission.admit_all(life.dispatch)
        waiting.settle(self._admission, life.now)
        if self._taken_up:
            waiting.settle_debts(self._taken_up, life.now)
            self._taken_up = []
        return self._decide()

    def changed_waits(self) -> tuple[WaitChange, ...]:
        """What demands wait for now, where that is not what was answered before.

        Of an execution that is over, the last: nothing is queued there any more.
        """
        return waiting.tell(self._admission)

    @property
    def has_changed_waits(self) -> bool:
        """Whether there may be something to tell."""
        return bool(self._admission.untold)

    # ------------------------------------------------------------ questions

    def check(self) -> None:
        """Raise `InvariantBroken` where the machine contradicts itself. Slow; for tests."""
        checks.check(self._executions, self._capacity, self._life)

    def story(self, execution: str, task: str) -> list[StoryLine]:
        """What is remembered of a task: what happened and why, oldest first."""
        return self._life.story.of(execution, task)

    def usage(self) -> Mapping[LimitKey, tuple[int, int]]:
        """(used, max) of every limit there is, the executions' own ones included."""
        usage = self._capacity.usage()
        for execution in self._executions.values():
            for limit in execution.own_limits.values():
                usage[LimitKey(limit.key)] = limit.usage()
        return usage

    def holders(self, key: str) -> list[tuple[str, str]]:
        """(execution, task) of every live attempt that holds the limit."""
        return [
            (execution.id, run.id)
            for execution in self._executions.values()
            for run in execution.live.values()
            if any(limit.key == key for limit in run.demand.limits)
        ]

    def executions(self) -> tuple[str, ...]:
        """The open executions, in the order in which they came."""
        return tuple(self._executions)

    def holds(self, execution: str) -> dict[str, float]:
        """What the plan still holds back: task to seconds into the run."""
        return self._known(execution).holds()

    def waiting(self, execution: str) -> tuple[WaitChange, ...]:
        """What the queued tasks of the execution wait for now, by demand."""
        demands = self._known(execution).demands
        return tuple(waiting.wait_change(demand) for demand in demands if demand.queued)

    def waiting_for(self) -> Counter[str]:
        """How many task runs of all executions wait for a thing now, by LimitKey or Hold."""
        return waiting.counts(self._executions.values())

    def waits(self, execution: str, task: str) -> dict[str, float]:
        """Seconds the task has waited up to now, by LimitKey or Hold."""
        return waiting.waits_so_far(self._known(execution).tasks[task], self._life.now)

    def totals(self, execution: str, now: float) -> tuple[dict[str, float], dict[str, float]]:
        """(`alone`, `waited`) of the execution up to now, as CloseExecution tells them.

        `now` is not before the last decision; nothing is known to have happened since.
        """
        return waiting.totals(self._known(execution), max(self._life.now, now))

    def progress(self, execution: str) -> ExecutionProgress:
        """Where the execution stands: enough for another machine to carry on from."""
        run = self._known(execution)
        alone, waited = waiting.totals(run, self._life.now)
        return ExecutionProgress(
            state=run.state,
            started_at=run.started_at,
            stopping_to=run.stopping_to,
            error=run.error,
            tasks={id_: task.progress() for id_, task in run.tasks.items()},
            alone=alone,
            waited=waited,
            summed_at=self._life.now,
        )

    def _known(self, execution: str) -> ExecutionRun:
        try:
            return self._executions[execution]
        except KeyError:
            raise UnknownExecution(execution) from None

    # ------------------------------------------------------------ executions come and go

    def _submitted(self, event: ExecutionSubmitted) -> None:
        if event.execution in self._executions:
            return
        life = self._life
        self._opened += 1
        progress = event.progress or ExecutionProgress()
        execution = open_execution(
            event.execution, self._opened, event.group, progress, self._capacity
        )
        self._executions[event.execution] = execution
        self._admission.open(execution)
        if event.progress is not None:  # what was told of it when it came to be is not known
            self._admission.untold.update(dict.fromkeys(execution.demands))
        life.open_tasks += execution.tasks_left
        if execution.state is ExecutionState.PENDING:
            execution.started_at = life.now
            life.step(execution, ExecutionState.RUNNING)
        for run in execution.tasks.values():
            self._take_up(run)
        started_at = life.now if execution.started_at is None else execution.started_at
        if event.group.run_timeout_s is not None:
            life.wake(started_at + event.group.run_timeout_s, execution)
        if execution.plan_holds:
            self._planned[execution.id] = execution
        for hold in execution.plan_holds:
            life.wake(started_at + hold.until_s, hold)
        self._go_on_stopping(execution)
        if not execution.tasks_left:
            life.finish(execution)

    def _take_up(self, run: TaskRun) -> None:
        """Put a task run where its state says it is."""
        life = self._life
        if run.state is TaskState.BLOCKED:
            if not run.needs_left:
                life.wish(run, QUEUED)
        elif run.state is TaskState.QUEUED:
            life.queue(run, QUEUED)
            waiting.owe(run, (Hold.RECOVERY,), life.now - run.since)
            self._taken_up.append(run)
        elif run.state is TaskState.RETRYING:
            life.wake(life.now if run.not_before is None else run.not_before, run)
        elif run.is_live:
            run.execution.live[run.id] = run
            self._admission.take(run)
            life.watch_time_limit(run)

    def _go_on_stopping(self, execution: ExecutionRun) -> None:
        """An execution that was taken up again in the middle of being stopped."""
        self._life.apply()
        if execution.state is ExecutionState.CANCELLING:
            self._life.stop_tasks(execution, "")
        elif (
            execution.critical_failure
            and execution.group.on_critical_failure is OnCriticalFailure.CONTINUE
        ):
            self._life.stop_critical(execution)

    def _decide(self) -> Decision:
        life = self._life
        if life.stops:
            life.instructions.extend(life.stops.values())
            life.stops = {}
        if life.timers:
            life.instructions.append(WakeAt(max(life.timers[0][0], life.now)))
        for execution in life.over:
            life.instructions.append(
                CloseExecution(execution.id, *waiting.totals(execution, life.now))
            )
            self._admission.close(execution)
            life.forget(execution)
            del self._executions[execution.id]
            self._planned.pop(execution.id, None)
        decision = make(
            Decision, (tuple(life.transitions), tuple(life.steps), tuple(life.instructions))
        )
        life.transitions, life.steps, life.instructions, life.over = [], [], [], []
        return decision

    # ------------------------------------------------------------ attempts

    def _live(self, execution: str, task: str, attempt: int) -> TaskRun | None:
        """The task run whose live attempt that is; None: the event is late or a duplicate."""
        known = self._executions.get(execution)
        run = known.live.get(task) if known is not None else None
        return run if run is not None and run.attempts == attempt else None

    def _started(self, event: AttemptStarted) -> None:
        run = self._live(event.execution, event.task, event.attempt)
        if run is not None and run.state is TaskState.DISPATCHED:
            self._life.wish(run, Wish(TaskState.RUNNING, AttemptState.RUNNING, event.at))

    def _completed(self, event: AttemptCompleted) -> None:
        run = self._live(event.execution, event.task, event.attempt)
        if run is not None:
            self._life.wish(run, completed(event.started_at, event.finished_at))

    def _failed(self, event: AttemptFailed) -> None:
        run = self._live(event.execution, event.task, event.attempt)
        if run is not None:
            self._drop_plan(run.execution)
            self._life.judge(
                run,
                event.reason,
                event.error,
                retryable=event.retryable,
                started_at=event.started_at,
                finished_at=event.finished_at,
            )

    def _timed_out(self, event: AttemptTimedOut) -> None:
        run = self._live(event.execution, event.task, event.attempt)
        if run is not None:
            self._drop_plan(run.execution)
            self._life.judge(
                run,
                Reason.TIMEOUT,
                policy.TIMEOUT_ERROR,
                started_at=event.started_at,
                finished_at=event.finished_at,
            )

    def _cancelled(self, event: AttemptCancelled) -> None:
        run = self._live(event.execution, event.task, event.attempt)
        if run is not None:
            self._stopped(run, event.started_at, event.finished_at)

    def _stopped(self, run: TaskRun, started_at: float | None, finished_at: float) -> None:
        self._life.wish(
            run,
            Wish(
                TaskState.CANCELLED,
                AttemptState.CANCELLED,
                started_at=started_at,
                finished_at=finished_at,
                cause=run.cause,
            ),
        )

    def _lost(self, event: AttemptLost) -> None:
        run = self._live(event.execution, event.task, event.attempt)
        if run is None:
            return
        if run.is_stopping:
            self._stopped(run, run.started_at, self._life.now)
        else:
            self._drop_plan(run.execution)
            self._life.judge(
                run,
                Reason.WORKER_LOST,
                policy.LOST_ERROR,
                started_at=run.began_at,
                finished_at=self._life.now,
            )

    def _returned(self, event: AttemptReturned) -> None:
        run = self._live(event.execution, event.task, event.attempt)
        if run is None:
            return
        began = event.started or run.state is TaskState.RUNNING
        finish = TaskState.QUEUED
        if run.is_stopping:
            finish = policy.stopped_state(run.attempts if began else run.attempts - 1)
        self._life.wish(
            run,
            Wish(
                finish,
                AttemptState.RETURNED,
                started_at=run.began_at if began else None,
                finished_at=self._life.now if began else None,
                cause=run.cause,
                unused=not began,
            ),
        )

    # ------------------------------------------------------------ people

    def _cancel(self, event: CancelRequested) -> None:
        execution = self._executions.get(event.execution)
        if execution is not None and execution.state in (
            ExecutionState.RUNNING,
            ExecutionState.PAUSED,
        ):
            self._life.stop(execution, ExecutionState.CANCELLED, "", "")

    def _pause(self, event: PauseRequested) -> None:
        execution = self._executions.get(event.execution)
        if execution is None or execution.state is not ExecutionState.RUNNING:
            return
        self._life.step(execution, ExecutionState.PAUSED)
        execution.paused.resize(0)
        for demand in execution.demands:
            self._admission.unreserve(demand)

    def _resume(self, event: ResumeRequested) -> None:
        execution = self._executions.get(event.execution)
        if execution is None or execution.state is not ExecutionState.PAUSED:
            return
        self._life.step(execution, ExecutionState.RUNNING)
        execution.paused.resize(OPEN)

    # ------------------------------------------------------------ the site

    def _limits_changed(self, event: LimitsChanged) -> None:
        changed = list(self._capacity.replace(event.limits))
        for limit in changed:
            self._admission.resized(limit)
        self._admission.unreserve_hopeless(changed)
        if changed:
            for execution in self._executions.values():
                self._drop_plan(execution)

    def _workers_changed(self, event: WorkersChanged) -> None:
        workers = self._capacity.workers
        workers.replace(event.workers)
        self._admission.resized(workers.limit)
        self._admission.unreserve_hopeless([workers.limit])

    def _ranks_changed(self, event: RanksChanged) -> None:
        execution = self._executions.get(event.execution)
        if execution is not None:
            self._drop_plan(execution)
            execution.put_in_order(event.ranks)
            self._admission.reorder(execution)

    def _tick(self, _event: Tick) -> None:
        """Whatever is due is looked at in every decision."""

    def _ring(self) -> None:
        """Let everything happen that is due."""
        life = self._life
        life.why = "due"
        while life.timers and life.timers[0][0] <= life.now:
            _, _, whom = heapq.heappop(life.timers)
            if isinstance(whom, ExecutionRun):
                self._run_timed_out(whom)
            elif isinstance(whom, PlanHold):
                self._end_hold(whom)
            elif whom.state not in FINAL_TASK_STATES:
                self._task_due(whom)
            life.apply()

    def _run_timed_out(self, execution: ExecutionRun) -> None:
        if execution.state in (ExecutionState.RUNNING, ExecutionState.PAUSED):
            self._life.stop(execution, ExecutionState.FAILED, policy.RUN_TIMEOUT_ERROR, "")

    # ------------------------------------------------------------ holds of a plan

    def _end_hold(self, hold: PlanHold) -> None:
        if hold in hold.execution.plan_holds:
            hold.execution.plan_holds.remove(hold)
            hold.gate.resize(OPEN)

    def _drop_plan(self, execution: ExecutionRun) -> None:
        """The run goes otherwise than planned: hold nothing back any more."""
        for hold in list(execution.plan_holds):
            self._end_hold(hold)

    def _drop_idle_plans(self) -> bool:
        """Let go where a plan would leave everything idle; whether that was so anywhere."""
        idle = [
            execution
            for execution in self._planned.values()
            if execution.plan_holds and not execution.live
        ]
        for execution in idle:
            self._drop_plan(execution)
        return bool(idle)

    def _task_due(self, run: TaskRun) -> None:
        life = self._life
        if run.state is TaskState.RETRYING:
            if run.not_before is None or run.not_before <= life.now:
                life.wish(run, QUEUED)
        elif run.is_live and not run.worker and deadline(run) <= life.now:
            life.judge(
                run,
                Reason.TIMEOUT,
                policy.TIMEOUT_ERROR,
                started_at=run.started_at,
                finished_at=life.now,
            )
