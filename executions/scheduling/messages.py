"""What the machine is told (events, facts in the past tense) and what it answers (a Decision).

Executions and tasks are named by their public ids, attempts by their number; tokens, workers'
addresses and database keys are the dispatcher's business. Times are float seconds. What comes in
thousands a second is a NamedTuple: it is made five times as fast as a frozen dataclass.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from executions.scheduling.model import (
    AttemptState,
    ExecutionProgress,
    ExecutionState,
    Group,
    LimitKey,
    Outcome,
    Reason,
    TaskState,
)

# ---------------------------------------------------------------- events


@dataclass(frozen=True, slots=True)
class ExecutionSubmitted:
    """An accepted execution is there. With `progress`, one taken up again where it stood."""

    execution: str
    group: Group
    progress: ExecutionProgress | None = None


class AttemptStarted(NamedTuple):
    """A worker began an attempt at `at`."""

    execution: str
    task: str
    attempt: int
    at: float


class AttemptCompleted(NamedTuple):
    """An attempt ended well. It also says that the attempt started, if nothing did before."""

    execution: str
    task: str
    attempt: int
    started_at: float
    finished_at: float


@dataclass(frozen=True, slots=True)
class AttemptFailed:
    """An attempt ended badly: reason ERROR or REJECTED. `retryable` false: do not try again."""

    execution: str
    task: str
    attempt: int
    started_at: float
    finished_at: float
    error: str
    reason: Reason = Reason.ERROR
    retryable: bool = True


@dataclass(frozen=True, slots=True)
class AttemptTimedOut:
    """A worker ended an attempt at its time limit."""

    execution: str
    task: str
    attempt: int
    started_at: float
    finished_at: float


@dataclass(frozen=True, slots=True)
class AttemptCancelled:
    """A worker stopped an attempt as told; `started_at` None: it had not begun."""

    execution: str
    task: str
    attempt: int
    started_at: float | None
    finished_at: float


@dataclass(frozen=True, slots=True)
class AttemptLost:
    """The worker of a started attempt is gone and the attempt is certainly ended."""

    execution: str
    task: str
    attempt: int


@dataclass(frozen=True, slots=True)
class AttemptReturned:
    """A worker handed an attempt back.

    Not begun (`started` false): the number is used again. Stopped in a shut-down (`started`
    true): a new number, no retry consumed.
    """

    execution: str
    task: str
    attempt: int
    started: bool


@dataclass(frozen=True, slots=True)
class CancelRequested:
    """A person asked to stop the execution."""

    execution: str


@dataclass(frozen=True, slots=True)
class PauseRequested:
    """A person asked that nothing new starts."""

    execution: str


@dataclass(frozen=True, slots=True)
class ResumeRequested:
    """A person asked to go on."""

    execution: str


@dataclass(frozen=True, slots=True)
class LimitsChanged:
    """The site's limits and capacities, all of them, as they are now."""

    limits: Mapping[LimitKey, int]


@dataclass(frozen=True, slots=True)
class WorkersChanged:
    """The worker processes that accept work now, with their slots in all (not: free)."""

    workers: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class RanksChanged:
    """A better order was found for what is left of an execution: it goes without holds."""

    execution: str
    ranks: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed."""


Event = (
    ExecutionSubmitted
    | AttemptStarted
    | AttemptCompleted
    | AttemptFailed
    | AttemptTimedOut
    | AttemptCancelled
    | AttemptLost
    | AttemptReturned
    | CancelRequested
    | PauseRequested
    | ResumeRequested
    | LimitsChanged
    | WorkersChanged
    | RanksChanged
    | Tick
)

# ---------------------------------------------------------------- decision

make = tuple.__new__
"""`make(Transition, (execution, task, …))` with every field is made in half the time of a call."""


class Transition(NamedTuple):
    """One task run went from `start` to `finish`; with it, possibly, one attempt.

    `attempt` is the number of the attempt concerned (0: none) and `attempt_state` its new state
    (None: unchanged). `attempts`, `failures`, `losses` are the totals after the transition.
    `waits` is what the task run has waited so far in seconds by LimitKey or Hold, given when it
    leaves QUEUED or RETRYING. `cause` is the task whose failure skipped this one.
    """

    execution: str
    task: str
    start: TaskState
    finish: TaskState
    at: float
    attempt: int = 0
    attempt_state: AttemptState | None = None
    started_at: float | None = None
    finished_at: float | None = None
    reason: Reason | None = None
    error: str = ""
    cause: str = ""
    attempts: int = 0
    failures: int = 0
    losses: int = 0
    not_before: float | None = None
    waits: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True)
class ExecutionTransition:
    """One execution went from `start` to `finish`."""

    execution: str
    start: ExecutionState
    finish: ExecutionState
    at: float
    outcome: Outcome | None = None
    error: str = ""
    stopping_to: ExecutionState | None = None


class Dispatch(NamedTuple):
    """Give the attempt to the worker (empty: to whoever claims external work)."""

    execution: str
    task: str
    attempt: int
    worker: str


@dataclass(frozen=True, slots=True)
class StopAttempt:
    """End the attempt's work; its end comes back as an event.

    Work outside the workers ends at once, without this: its transition to CANCELLED says so.
    """

    execution: str
    task: str
    attempt: int
    worker: str


class WakeAt(NamedTuple):
    """Nothing happens by itself before `at`: send a Tick then. At most one in a decision."""

    at: float


@dataclass(frozen=True, slots=True)
class CloseExecution:
    """The execution is over: forget it.

    `alone`: seconds during which at least one queued task waited for that limit alone;
    `waited`: task-seconds waited; both by LimitKey or Hold.
    """

    execution: str
    alone: Mapping[str, float] = field(default_factory=dict)
    waited: Mapping[str, float] = field(default_factory=dict)


Instruction = Dispatch | StopAttempt | WakeAt | CloseExecution


class WaitChange(NamedTuple):
    """What all queued task runs of one demand class wait for now.

    `keys` are LimitKeys or Holds (empty: none is queued). `reserved_for` names the task that holds
    a reservation in their way.
    """

    execution: str
    demand: int
    keys: tuple[str, ...]
    queued: int
    since: float
    reserved_for: str = ""


class Decision(NamedTuple):
    """The whole answer of `Machine.handle`. Apply all of it or forget the machine."""

    transitions: tuple[Transition, ...] = ()
    executions: tuple[ExecutionTransition, ...] = ()
    instructions: tuple[Instruction, ...] = ()
