"""The live nouns of the brain: an open execution, its task runs, its demand classes.

Owns their shape. Decides nothing.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from executions.scheduling import graph
from executions.scheduling.capacity import OPEN, RESERVED, Board, Limit, Line, Need
from executions.scheduling.model import (
    AttemptState,
    ExecutionProgress,
    Group,
    Hold,
    LiveAttempt,
    Reason,
    Task,
    TaskProgress,
    TaskState,
    local_key,
)
from executions.scheduling.watchers import Watchers

if TYPE_CHECKING:
    from executions.scheduling.messages import WaitChange

NOTHING: Mapping[str, float] = {}
NEVER_ENTERED: list[float] = []
QUEUED: Final = TaskState.QUEUED
"""Asked for at every turn: as a member of its enumeration it is found far slower."""


class Wish(NamedTuple):
    """The state a task run shall have, and what is to be recorded with it."""

    finish: TaskState
    attempt_state: AttemptState | None = None
    started_at: float | None = None
    finished_at: float | None = None
    reason: Reason | None = None
    error: str = ""
    cause: str = ""
    not_before: float | None = None
    failures: int | None = None
    losses: int | None = None
    unused: bool = False
    """The attempt had not begun: its number is used again."""


class TaskRun:
    """One task within one open execution."""

    __slots__ = (
        "attempts",
        "cause",
        "critical",
        "demand",
        "dependents",
        "dispatched_at",
        "entered",
        "execution",
        "failures",
        "id",
        "is_stopping",
        "losses",
        "needs_left",
        "not_before",
        "order",
        "priority",
        "since",
        "started_at",
        "state",
        "task",
        "waits",
        "wish",
        "worker",
    )

    def __init__(self, execution: ExecutionRun, task: Task, priority: int) -> None:
        """As just submitted."""
        self.execution = execution
        self.task = task
        self.id = task.id
        self.priority = priority
        """Its own or inherited."""
        self.order = 0
        """Its place in the execution's order of admission."""
        self.demand: Demand
        self.critical = False
        self.dependents: list[TaskRun] = []
        self.needs_left = 0
        """How many dependencies are not completed."""
        self.state = TaskState.BLOCKED
        self.wish: Wish | None = None
        """What it is to become in this decision."""
        self.since = 0.0
        self.attempts = 0
        self.failures = 0
        self.losses = 0
        self.not_before: float | None = None
        self.worker = ""
        self.dispatched_at = 0.0
        self.started_at: float | None = None
        self.is_stopping = False
        self.cause = ""
        """The task whose failure made it stop."""
        self.waits: Mapping[str, float] = NOTHING
        """Replaced, never changed: transitions hand it out."""
        self.entered: list[float] = NEVER_ENTERED
        """The demand's totals when it was queued."""

    @property
    def is_live(self) -> bool:
        """Whether it holds a slot."""
        return self.state is TaskState.DISPATCHED or self.state is TaskState.RUNNING

    @property
    def began_at(self) -> float:
        """When a live attempt began, of which that is known: not before it was dispatched."""
        return self.dispatched_at if self.started_at is None else self.started_at

    def progress(self) -> TaskProgress:
        """What has to be remembered of it."""
        live = None
        if self.is_live:
            live = LiveAttempt(
                self.attempts, self.worker, self.dispatched_at, self.started_at, self.is_stopping
            )
        return TaskProgress(
            state=self.state,
            attempts=self.attempts,
            failures=self.failures,
            losses=self.losses,
            since=self.since,
            not_before=self.not_before,
            live=live,
            waits=self.waits,
        )


class Alone:
    """Since when tasks of an execution wait for one thing and for nothing else."""

    __slots__ = ("demands", "seconds", "since")

    def __init__(self, seconds: float = 0.0) -> None:
        """None does; some did for so long."""
        self.seconds = seconds
        self.demands = 0
        """How many demands do so now."""
        self.since = 0.0


class Lack:
    """All that a demand waits for at one time: what it lacks; and how long it did."""

    __slots__ = ("alone", "keys", "lines", "part", "places", "seconds", "task_s")

    def __init__(
        self,
        lines: list[Line],
        keys: tuple[str, ...] = (),
        places: tuple[int, ...] = (),
        alone: Alone | None = None,
    ) -> None:
        """Not waited for yet."""
        self.lines = lines
        self.keys = keys
        """LimitKeys or Holds."""
        self.places = places
        """Where they stand among all reasons of the demand."""
        self.part = 1.0 / max(1, len(keys))
        """Of a second waited for all of them, that of each."""
        self.alone = alone
        """Where the execution counts that; None: it is not one thing alone."""
        self.seconds = 0.0
        """Of the demand, that are not in its totals yet."""
        self.task_s = 0.0
        """Task-seconds."""


class Demand:
    """The task runs of one execution that ask for the same things, queued in order.

    `watching` is where the admission finds it again: at one line that keeps its head from
    starting. None while it is looked at or has nothing queued.
    """

    __slots__ = (
        "alone",
        "by_short",
        "execution",
        "gates",
        "keys_since",
        "lack",
        "lack_since",
        "lacks",
        "limits",
        "lines",
        "mask",
        "need_lines",
        "needs",
        "needs_worker",
        "number",
        "places",
        "queue",
        "queued",
        "reasons",
        "reservation",
        "reserved",
        "seen",
        "shared",
        "snapshot",
        "told",
        "totals",
        "unbooked",
        "watching",
    )

    def __init__(
        self, execution: ExecutionRun, number: int, gates: list[Limit], needs: list[Need]
    ) -> None:
        """Nothing is queued."""
        self.execution = execution
        self.number = number
        self.gates = gates
        self.needs = needs
        self.limits = tuple(limit for limit, *_ in needs)
        self.shared = tuple((limit, n) for limit, n, exclusive in needs if not exclusive)
        self.alone = tuple(limit for limit, _, exclusive in needs if exclusive)
        self.need_lines = [
            limit.line(amount, exclusive=exclusive) for limit, amount, exclusive in needs
        ]
        self.lines = [*(gate.line(1, exclusive=False) for gate in gates), *self.need_lines]
        self.mask = sum(line.bit for line in self.lines)
        """All its lines: those of `short` are what it lacks."""
        self.needs_worker = False
        self.queue: list[int] = []
        self.queued = 0
        self.watching: Watchers | None = None
        self.seen: dict[Line, int] = {}
        """Units of its limit ever given back when the head was first found to lack that line."""
        self.reservation = 0
        """Number of its reservation, the older the lower; 0: it has none."""
        self.reserved: dict[Limit, Need] = {}
        self.reasons = (*(line.limit.key for line in self.lines), Hold.RESERVED, Hold.RECOVERY)
        """All that its tasks could wait for, by LimitKey or Hold."""
        self.places = [len(self.reasons) - 1]
        """Of the reasons that there ever were: owed for a recovery, or lacked."""
        self.lack = Lack([])
        """What it waits for, as settled last."""
        self.lacks = [self.lack]
        """All that it ever waited for."""
        self.by_short = {0: self.lack}
        """The same by the lines without room: see `lacking`."""
        self.keys_since = 0.0
        self.totals = [0.0] * len(self.reasons)
        """Seconds waited since the demand is there, by reason."""
        self.snapshot: list[float] | None = None
        """The totals as they are, for those that enter now; None: not taken yet."""
        self.lack_since = 0.0
        """Since when it lacked that, or since the totals were last brought up to date."""
        self.unbooked: dict[Lack, None] = {}
        """What it lacked for some seconds that are not in the totals yet."""
        self.told: WaitChange | None = None
        """What was told of it last; None: nothing since the machine took it up."""

    def lacking(self, short: int) -> Lack:
        """What it lacks when those of its lines have no room, or what it needs is reserved.

        A closed gate comes before all limits: while it is, room would not help.
        """
        found = self.by_short.get(short)
        if found is None:
            lines = [line for line in self.lines if line.bit & short]
            if lines and lines[0].limit in self.gates and short != lines[0].bit:
                found = self.lacking(lines[0].bit)
            else:
                keys = tuple(line.limit.key for line in lines)
                if short & RESERVED:
                    keys = (*keys, Hold.RESERVED)
                places = tuple(self.reasons.index(key) for key in keys)
                alone = self.execution.alone(keys[0]) if len(keys) == 1 else None
                found = Lack(lines, keys, places, alone)
                self.lacks.append(found)
                self.places = sorted({*self.places, *places})
            self.by_short[short] = found
        return found

    def head(self) -> TaskRun | None:
        """The queued task run that is to start first."""
        queue, by_order = self.queue, self.execution.by_order
        while queue:
            run = by_order[queue[0]]
            if run.state is QUEUED:
                return run
            heapq.heappop(queue)
        return None

    def reservation_place(self) -> tuple[int, float]:
        """Its place among reservations: higher priority first, then the older one."""
        head = self.head()
        priority = head.priority if head is not None else -1
        return (-priority, self.reservation or float("inf"))


class PlanHold:
    """The tasks of one demand are kept from starting by the plan until `until_s` into the run."""

    __slots__ = ("execution", "gate", "until_s")

    def __init__(self, execution: ExecutionRun, until_s: float) -> None:
        """Closed."""
        self.execution = execution
        self.until_s = until_s
        self.gate = Limit(Hold.PLAN, 0, execution.board, is_local=True)


class ExecutionRun:
    """One open execution."""

    def __init__(
        self, id_: str, seq: int, group: Group, progress: ExecutionProgress, board: Board
    ) -> None:
        """Without tasks yet; `open_execution` gives it those."""
        self.board = board
        self.id = id_
        self.seq = seq
        self.group = group
        self.state = progress.state
        self.started_at = progress.started_at
        self.stopping_to = progress.stopping_to
        self.error = progress.error
        self.tasks: dict[str, TaskRun] = {}
        self.by_order: list[TaskRun] = []
        self.urgencies: Mapping[str, float] = NOTHING
        self.demands: list[Demand] = []
        self.live: dict[str, TaskRun] = {}
        self.tasks_left = 0
        """How many task runs have not ended."""
        self.critical_left = 0
        self.critical_failure = ""
        self.paused = Limit(Hold.PAUSED, OPEN, board, is_local=True)
        self.critical_phase = Limit(Hold.CRITICAL_PHASE, OPEN, board, is_local=True)
        self.plan_holds: list[PlanHold] = []
        """Those that are not over."""
        self.fresh = Watchers(self, 0)
        """Demands to be looked at, whatever is freed."""
        self.own_limits: dict[str, Limit] = {}
        self.summed_at = progress.summed_at
        """Up to when what it waited for was summed up when the machine took it up."""
        self.waited_s: defaultdict[str, float] = defaultdict(float, progress.waited)
        """Task-seconds that no demand counts: what is remembered, backoffs, recoveries."""
        self.alones = {key: Alone(seconds) for key, seconds in progress.alone.items()}

    def alone(self, key: str) -> Alone:
        """Since when tasks wait for that alone."""
        found = self.alones.get(key)
        if found is None:
            found = self.alones[key] = Alone()
        return found

    def holds(self) -> dict[str, float]:
        """What the plan still holds back: task to seconds into the run."""
        left = {hold.gate for hold in self.plan_holds}
        held = self.group.holds.items()
        return {id_: s for id_, s in held if not left.isdisjoint(self.tasks[id_].demand.gates)}

    def counts(self) -> Counter[TaskState]:
        """How many task runs stand where."""
        return Counter(run.state for run in self.tasks.values())

    def own_limit(self, what: str, max_: int) -> Limit:
        """A limit that holds within this execution only."""
        key = local_key(self.id, what)
        found = self.own_limits.get(key)
        if found is None:
            found = self.own_limits[key] = Limit(key, max_, self.board, is_local=True)
        return found

    def put_in_order(self, ranks: Mapping[str, int]) -> None:
        """Number the task runs by the order in which they want to start."""
        priorities = {run.id: run.priority for run in self.tasks.values()}
        order = graph.admission_order(self.group, priorities, self.urgencies, ranks)
        tasks = self.group.tasks
        self.by_order = [self.tasks[tasks[position].id] for position in order]
        for number, run in enumerate(self.by_order):
            run.order = number
