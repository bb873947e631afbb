"""The nouns of scheduling and their states: values only, no behaviour that needs a clock.

Everything here is immutable. Times are float seconds (epoch or virtual), durations float seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NewType

LimitKey = NewType("LimitKey", str)
"""Names one thing tasks wait for: `team:dev_team`, `task_type:api_calls`, `resource:staging-db`;
local to one execution with its id in front: `PEXEC-1/max_concurrency`, `PEXEC-1/team:dev_team`;
`workers` is the free slots of all worker processes together."""

WORKERS: Final = LimitKey("workers")


class LimitKind(StrEnum):
    """What a limit counts."""

    TEAM = "team"
    TASK_TYPE = "task_type"
    RESOURCE = "resource"


def limit_key(kind: LimitKind, name: str) -> LimitKey:
    """The key of a site-wide limit."""
    return LimitKey(f"{kind}:{name}")


def local_key(execution: str, what: str) -> LimitKey:
    """The key of a limit that holds within one execution only."""
    return LimitKey(f"{execution}/{what}")


class Hold(StrEnum):
    """Why a task run waits although no limit is full; stands where a LimitKey would."""

    PAUSED = "paused"
    """The execution is paused."""
    CRITICAL_PHASE = "critical_phase"
    """The critical phase is not over."""
    RESERVED = "reserved"
    """What it needs is kept for a task that was passed over too long."""
    PLAN = "plan"
    """The plan holds the slot for a better order."""
    BACKOFF = "backoff"
    """The next attempt is not due yet."""
    RECOVERY = "recovery"
    """No dispatcher was there to decide."""


class TaskState(StrEnum):
    """Where one task run stands."""

    BLOCKED = "blocked"
    """A dependency is not done."""
    QUEUED = "queued"
    """Could run; waits for a slot."""
    DISPATCHED = "dispatched"
    """Slot taken, message sent."""
    RUNNING = "running"
    """An attempt runs on a worker."""
    RETRYING = "retrying"
    """Waits for its next attempt; holds no slot."""
    COMPLETED = "completed"
    """Done."""
    FAILED = "failed"
    """Its last attempt failed and there is no other."""
    CANCELLED = "cancelled"
    """Stopped by a person, by fail-fast or by the run's time limit."""
    SKIPPED = "skipped"
    """A dependency failed, or the run stopped before it started."""


class ExecutionState(StrEnum):
    """Where one execution stands."""

    PENDING = "pending"
    """Accepted; no dispatcher has taken it up yet."""
    RUNNING = "running"
    """Tasks are admitted."""
    PAUSED = "paused"
    """What runs goes on; nothing new is admitted."""
    CANCELLING = "cancelling"
    """Attempts are being stopped."""
    COMPLETED = "completed"
    """Went to its end under its strategy, and at least one task completed."""
    FAILED = "failed"
    """Fail-fast tripped, the critical phase failed, the run timed out, or no task completed."""
    CANCELLED = "cancelled"
    """Stopped by a person."""


class AttemptState(StrEnum):
    """Where one attempt of a task run stands."""

    DISPATCHED = "dispatched"
    """Given to a worker, not seen started."""
    RUNNING = "running"
    """Started."""
    COMPLETED = "completed"
    """Ended well."""
    FAILED = "failed"
    """Ended badly; see its reason."""
    CANCELLED = "cancelled"
    """Stopped."""
    RETURNED = "returned"
    """Handed back by a worker that shuts down; costs no retry."""


class Reason(StrEnum):
    """Why an attempt failed."""

    ERROR = "error"
    """The work itself failed."""
    TIMEOUT = "timeout"
    """Timeout exceeded."""
    WORKER_LOST = "worker_lost"
    """Its worker vanished."""
    REJECTED = "rejected"
    """Could never run."""


class Outcome(StrEnum):
    """How a finished execution went, beside its state."""

    SUCCESS = "success"
    """Every task completed."""
    PARTIAL = "partial"
    """Some completed, some did not."""
    FAILURE = "failure"
    """None completed."""


class Strategy(StrEnum):
    """What a failure does to the rest of the run."""

    CONTINUE_ON_FAILURE = "continue_on_failure"
    """Stops nothing but dependents."""
    FAIL_FAST = "fail_fast"
    """Cancels what runs, skips the rest, fails the execution."""
    RETRY_FAILED = "retry_failed"
    """Tries the failed task again, then as continue_on_failure."""


class OnCriticalFailure(StrEnum):
    """What a failure in the critical phase does."""

    STOP = "stop"
    """Skips the rest and fails the execution."""
    CONTINUE = "continue"
    """Lets the rest run."""


OPEN_TASK_STATES: Final = frozenset(
    {
        TaskState.BLOCKED,
        TaskState.QUEUED,
        TaskState.DISPATCHED,
        TaskState.RUNNING,
        TaskState.RETRYING,
    }
)
FINAL_TASK_STATES: Final = frozenset(TaskState) - OPEN_TASK_STATES
OPEN_EXECUTION_STATES: Final = frozenset(
    {
        ExecutionState.PENDING,
        ExecutionState.RUNNING,
        ExecutionState.PAUSED,
        ExecutionState.CANCELLING,
    }
)
FINAL_EXECUTION_STATES: Final = frozenset(ExecutionState) - OPEN_EXECUTION_STATES
LIVE_ATTEMPT_STATES: Final = frozenset({AttemptState.DISPATCHED, AttemptState.RUNNING})

CRITICAL_PRIORITY: Final = 90
HIGH_PRIORITY: Final = 70
DEFAULT_PRIORITY: Final = 50
DEFAULT_DURATION_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Requirement:
    """A need for a resource: alone (`exclusive`), else `amount` units shared."""

    resource: str
    amount: int = 1
    exclusive: bool = False


WITHOUT_WORKER: Final = frozenset({"external"})
"""Runners whose work is done outside the workers: it holds its limits, but no worker slot."""


@dataclass(frozen=True, slots=True)
class Task:
    """One piece of work as the brain sees it; runner and payload stay outside.

    `needs_worker` is false for work done outside the workers (external tasks): it holds its
    limits but no worker slot, and the machine itself ends it at its timeout.
    """

    id: str
    priority: int = DEFAULT_PRIORITY
    team: str | None = None
    task_type: str | None = None
    requirements: tuple[Requirement, ...] = ()
    depends_on: tuple[str, ...] = ()
    duration_s: float | None = None
    timeout_s: float | None = None
    max_retries: int | None = None
    needs_worker: bool = True


@dataclass(frozen=True, slots=True)
class Group:
    """A task group with its configuration, as one execution snapshots it.

    `limits` are the group's own, by site key (`team:dev_team`); the lower of both holds.
    `ranks` is a plan's order (task id to position, lower first) within equal priority. `holds`
    are the tasks a plan keeps from starting although there is room: until so many seconds after
    the start of the run, or until the run is seen to go otherwise than planned.
    """

    name: str
    tasks: tuple[Task, ...]
    max_concurrency: int = 5
    strategy: Strategy = Strategy.CONTINUE_ON_FAILURE
    max_retries: int = 2
    retry_on_lost: int = 1
    timeout_s: float = 3600.0
    run_timeout_s: float | None = None
    critical_first: bool = False
    on_critical_failure: OnCriticalFailure = OnCriticalFailure.STOP
    planning: bool = True
    limits: Mapping[LimitKey, int] = field(default_factory=dict)
    ranks: Mapping[str, int] = field(default_factory=dict)
    holds: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LiveAttempt:
    """An attempt that holds a slot. `worker` is empty for work done outside the workers."""

    number: int
    worker: str
    dispatched_at: float
    started_at: float | None = None
    stop_requested: bool = False


@dataclass(frozen=True, slots=True)
class TaskProgress:
    """What is remembered of one task run, enough to carry on from.

    `attempts` counts all ever numbered, `failures` those that used up a retry, `losses` those
    whose worker vanished. `since` is when it entered its state; `not_before` is set while
    retrying; `waits` are seconds already waited, by LimitKey or Hold.
    """

    state: TaskState = TaskState.BLOCKED
    attempts: int = 0
    failures: int = 0
    losses: int = 0
    since: float = 0.0
    not_before: float | None = None
    live: LiveAttempt | None = None
    waits: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ExecutionProgress:
    """What is remembered of one open execution; tasks not named are as just submitted.

    `stopping_to` is the final state an execution in CANCELLING ends in. `alone` and `waited` are
    what it waited for up to `summed_at` (see CloseExecution); None: that was never summed up.
    """

    state: ExecutionState = ExecutionState.PENDING
    started_at: float | None = None
    stopping_to: ExecutionState | None = None
    error: str = ""
    tasks: Mapping[str, TaskProgress] = field(default_factory=dict)
    alone: Mapping[str, float] = field(default_factory=dict)
    waited: Mapping[str, float] = field(default_factory=dict)
    summed_at: float | None = None
