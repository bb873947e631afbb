"""A virtual clock that drives the Machine: what would happen, decided by what would decide it.

Workers are imagined: each attempt runs for the seconds it is given and ends as it is told to.
Time limits are not imagined unless asked for, since an estimate above a limit is a finding
about the estimate, not a schedule.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from executions.scheduling.graph import estimated_s
from executions.scheduling.machine import Machine
from executions.scheduling.messages import (
    AttemptCancelled,
    AttemptCompleted,
    AttemptFailed,
    AttemptLost,
    AttemptTimedOut,
    CloseExecution,
    Decision,
    Dispatch,
    Event,
    ExecutionSubmitted,
    LimitsChanged,
    StopAttempt,
    Tick,
    Transition,
    WakeAt,
    WorkersChanged,
)
from executions.scheduling.model import (
    ExecutionProgress,
    ExecutionState,
    Group,
    LimitKey,
    Outcome,
    Reason,
    Task,
    TaskState,
)

Durations = Callable[[Task, int], float] | Mapping[str, float]
"""Seconds an attempt takes: of (task, attempt number), or by task id; else the estimate."""

Outcomes = Callable[[Task, int], Reason | None] | Mapping[str, Sequence[Reason | None]]
"""How an attempt ends, None for well: of (task, attempt number), or by task id in a row."""

Steer = Callable[[Machine, Decision, float], Iterable[tuple[float, Event]]]
"""Told every decision of a machine and its time; answers what is to happen because of it, when."""

EVENTS_A_TASK: Final = 64
VIRTUAL_WORKER: Final = "virtual"
FOREVER_S: Final = 1e15


class SimulationStalled(RuntimeError):  # noqa: N818 named for what happened
    """Nothing can happen and tasks are left: open what they wait for, or make it larger."""


class SimulationEndless(RuntimeError):  # noqa: N818 named for what happened
    """More events than allowed. Raise `max_events` or look for a retry without end."""


@dataclass(frozen=True, slots=True)
class Submission:
    """One execution that arrives at `at`, or is taken up again there with its `progress`."""

    execution: str
    group: Group
    at: float = 0.0
    durations: Durations | None = None
    outcomes: Outcomes | None = None
    progress: ExecutionProgress | None = None


@dataclass(frozen=True, slots=True)
class Scheduled:
    """When a task ran (its last attempt; None: it never began) and how it ended."""

    id: str
    started_at: float | None
    finished_at: float | None
    status: TaskState
    attempts: int = 0
    waits: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SimulationResult:
    """How one execution went. `schedule` is in the order of the group; times are virtual."""

    execution: str
    state: ExecutionState
    outcome: Outcome | None
    started_at: float
    finished_at: float
    schedule: tuple[Scheduled, ...]
    alone: Mapping[str, float]
    waited: Mapping[str, float]
    decisions: int

    @property
    def makespan_s(self) -> float:
        """From the start of the execution to its end."""
        return self.finished_at - self.started_at

    @property
    def waits(self) -> dict[str, Mapping[str, float]]:
        """What each task waited for, in seconds, by task id."""
        return {scheduled.id: scheduled.waits for scheduled in self.schedule}


def simulate(
    group: Group,
    *,
    limits: Mapping[LimitKey, int],
    durations: Durations | None = None,
    workers: Mapping[str, int] | None = None,
    outcomes: Outcomes | None = None,
    start: float = 0.0,
    time_limits: bool = False,
    max_events: int | None = None,
) -> SimulationResult:
    """One execution alone on the site. `workers` None: as many slots as it can use."""
    submission = Submission("PEXEC-0", group, start, durations, outcomes)
    found = simulate_many(
        [submission],
        limits=limits,
        workers=workers,
        time_limits=time_limits,
        max_events=max_events,
    )
    return found["PEXEC-0"]


def simulate_from(
    group: Group,
    progress: ExecutionProgress,
    *,
    limits: Mapping[LimitKey, int],
    now: float,
    durations: Durations | None = None,
    workers: Mapping[str, int] | None = None,
    max_events: int | None = None,
) -> SimulationResult:
    """How an execution that stands there goes on from `now`, alone on the site.

    What runs is taken to have its duration less what it has run; a paused one is resumed.
    """
    if progress.state is ExecutionState.PAUSED:
        progress = replace(progress, state=ExecutionState.RUNNING)
    submission = Submission("PEXEC-0", group, now, durations, None, progress)
    return simulate_many([submission], limits=limits, workers=workers, max_events=max_events)[
        "PEXEC-0"
    ]


def simulate_many(
    submissions: Iterable[Submission],
    *,
    limits: Mapping[LimitKey, int],
    workers: Mapping[str, int] | None = None,
    events: Iterable[tuple[float, Event]] = (),
    time_limits: bool = False,
    max_events: int | None = None,
    jitter: Callable[[], float] | None = None,
    observe: Callable[[float, Sequence[Event], Decision], None] | None = None,
    steer: Steer | None = None,
    instant_s: float = 0.0,
) -> dict[str, SimulationResult]:
    """Several executions on one site; `events` (at, event) happen besides, such as new limits.

    `observe` is told every decision: (now, events, decision). What happens within `instant_s` is
    told in one, at the time of the last.
    """
    listed = list(submissions)
    machine = Machine() if jitter is None else Machine(jitter=jitter)
    clock = _Clock(listed, time_limits=time_limits, instant_s=instant_s)
    tasks = sum(len(submission.group.tasks) for submission in listed)
    begin = min((submission.at for submission in listed), default=0.0)
    clock.at(begin, LimitsChanged(limits))
    clock.at(begin, WorkersChanged(workers or {VIRTUAL_WORKER: max(1, tasks)}))
    for at, event in events:
        clock.at(at, event)
    for submission in listed:
        clock.submit(submission)
    left = max_events if max_events is not None else EVENTS_A_TASK * (tasks + 16)
    while clock.due:
        now, batch = clock.next()
        left -= len(batch)
        if left < 0:
            raise SimulationEndless(f"more events than allowed at {now:.3f} s")
        decision = machine.handle(batch, now)
        clock.carry_out(decision, now)
        if observe is not None:
            observe(now, batch, decision)
        if steer is not None:
            for at, event in steer(machine, decision, now):
                clock.at(at, event)
    if stuck := machine.executions():
        reasons = {key for id_ in stuck for wait in machine.waiting(id_) for key in wait.keys}
        raise SimulationStalled(f"{', '.join(stuck)} wait for {', '.join(sorted(reasons))}")
    return {
        submission.execution: clock.runs[submission.execution].result() for submission in listed
    }


class _Run:
    """What was seen of one execution."""

    __slots__ = (
        "closed",
        "decisions",
        "ended",
        "execution",
        "group",
        "schedule",
        "started_at",
        "submission",
        "tasks",
    )

    def __init__(self, submission: Submission, group: Group) -> None:
        self.submission = submission
        self.execution = submission.execution
        self.group = group
        self.tasks = {task.id: task for task in group.tasks}
        self.schedule = {
            task.id: Scheduled(task.id, None, None, TaskState.BLOCKED) for task in group.tasks
        }
        self.started_at = submission.at
        self.ended: tuple[ExecutionState, Outcome | None, float] | None = None
        self.closed: CloseExecution | None = None
        self.decisions = 0

    def duration_s(self, task: Task, attempt: int) -> float:
        durations = self.submission.durations
        if durations is None:
            return estimated_s(task)
        if callable(durations):
            return durations(task, attempt)
        found = durations.get(task.id)
        return estimated_s(task) if found is None else found

    def reason(self, task: Task, attempt: int) -> Reason | None:
        outcomes = self.submission.outcomes
        if outcomes is None:
            return None
        if callable(outcomes):
            return outcomes(task, attempt)
        row = outcomes.get(task.id, ())
        return row[attempt - 1] if attempt <= len(row) else None

    def result(self) -> SimulationResult:
        assert self.ended is not None
        assert self.closed is not None
        state, outcome, finished_at = self.ended
        return SimulationResult(
            execution=self.execution,
            state=state,
            outcome=outcome,
            started_at=self.started_at,
            finished_at=finished_at,
            schedule=tuple(self.schedule.values()),
            alone=self.closed.alone,
            waited=self.closed.waited,
            decisions=self.decisions,
        )


class _Clock:
    """What is to happen, in order of time; what happens at one instant is one batch."""

    def __init__(
        self, submissions: Sequence[Submission], *, time_limits: bool, instant_s: float
    ) -> None:
        self._time_limits = time_limits
        self._instant_s = instant_s
        self.due: list[tuple[float, int, Event]] = []
        self.runs: dict[str, _Run] = {
            submission.execution: _Run(submission, self._without_limits(submission.group))
            for submission in submissions
        }
        self._numbers = 0
        self._wakes: set[float] = set()

    def _without_limits(self, group: Group) -> Group:
        if self._time_limits:
            return group
        if any(not task.needs_worker for task in group.tasks):
            tasks = tuple(replace(task, timeout_s=FOREVER_S) for task in group.tasks)
            group = replace(group, tasks=tasks)
        return replace(group, run_timeout_s=None)

    def at(self, at: float, event: Event) -> None:
        self._numbers += 1
        heapq.heappush(self.due, (at, self._numbers, event))

    def next(self) -> tuple[float, list[Event]]:
        now, _, event = heapq.heappop(self.due)
        batch = [event]
        end = now + self._instant_s
        while self.due and self.due[0][0] <= end:
            now, _, event = heapq.heappop(self.due)
            batch.append(event)
        return now, batch

    def submit(self, submission: Submission) -> None:
        run = self.runs[submission.execution]
        progress = submission.progress
        self.at(submission.at, ExecutionSubmitted(submission.execution, run.group, progress))
        if progress is None:
            return
        if progress.started_at is not None:
            run.started_at = progress.started_at
        for id_, task in progress.tasks.items():
            run.schedule[id_] = replace(
                run.schedule[id_], status=task.state, attempts=task.attempts, waits=task.waits
            )
            if task.live is not None:
                began = task.live.dispatched_at
                if task.live.started_at is not None:
                    began = task.live.started_at
                self._begin(run, id_, task.live.number, began, submission.at)

    def carry_out(self, decision: Decision, now: float) -> None:
        """Imagine what the workers make of the decision."""
        for transition in decision.transitions:
            if transition.finish is not TaskState.QUEUED:
                self._note(transition)
        for step in decision.executions:
            if step.outcome is not None:
                self.runs[step.execution].ended = (step.finish, step.outcome, now)
        for instruction in decision.instructions:
            match instruction:
                case Dispatch(execution=id_, task=task, attempt=attempt):
                    run = self.runs[id_]
                    run.decisions += 1
                    self._begin(run, task, attempt, now, now)
                case StopAttempt(execution=id_, task=task, attempt=attempt):
                    self.at(now, AttemptCancelled(id_, task, attempt, now, now))
                case WakeAt(at=at):
                    self._wake(at, now)
                case CloseExecution(execution=id_):
                    self.runs[id_].closed = instruction

    def _wake(self, at: float, now: float) -> None:
        self._wakes = {known for known in self._wakes if known > now}
        if at < FOREVER_S and at not in self._wakes:
            self._wakes.add(at)
            self.at(at, Tick())

    def _begin(self, run: _Run, id_: str, attempt: int, began: float, now: float) -> None:
        """Put the end of an attempt that began then where it belongs."""
        task, execution = run.tasks[id_], run.execution
        seconds = run.duration_s(task, attempt)
        reason = run.reason(task, attempt)
        if self._time_limits:
            limit_s = run.group.timeout_s if task.timeout_s is None else task.timeout_s
            if seconds > limit_s:
                seconds, reason = limit_s, Reason.TIMEOUT
        end = max(now, began + seconds)
        event: Event
        if reason is None:
            event = AttemptCompleted(execution, id_, attempt, began, end)
        elif reason is Reason.TIMEOUT:
            event = AttemptTimedOut(execution, id_, attempt, began, end)
        elif reason is Reason.WORKER_LOST:
            event = AttemptLost(execution, id_, attempt)
        else:
            event = AttemptFailed(execution, id_, attempt, began, end, reason.value, reason)
        self.at(end, event)

    def _note(self, transition: Transition) -> None:
        schedule = self.runs[transition.execution].schedule
        before = schedule[transition.task]
        schedule[transition.task] = Scheduled(
            transition.task,
            before.started_at if transition.started_at is None else transition.started_at,
            before.finished_at if transition.finished_at is None else transition.finished_at,
            transition.finish,
            transition.attempts,
            before.waits if transition.waits is None else transition.waits,
        )
