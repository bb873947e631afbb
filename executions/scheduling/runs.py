"""The live nouns of the brain: an open execution, its task runs, its demand classes.

Owns their shape and how they are made from a group and its progress. Decides nothing.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from executions.scheduling import graph
from executions.scheduling.capacity import OPEN, Capacity, Limit, Need
from executions.scheduling.model import (
    OPEN_TASK_STATES,
    ExecutionProgress,
    ExecutionState,
    Group,
    Hold,
    LimitKey,
    LimitKind,
    LiveAttempt,
    Task,
    TaskProgress,
    TaskState,
    limit_key,
    local_key,
)
from executions.scheduling.needs import capacities
from executions.scheduling.urgency import urgencies
from executions.scheduling.watchers import ANY, Watchers

if TYPE_CHECKING:
    from executions.scheduling.lifecycle import Wish

NOTHING: Mapping[str, float] = {}
QUEUED: Final = TaskState.QUEUED
"""Asked for at every turn: as a member of its enumeration it is found far slower."""


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
        self.entered: Mapping[str, float] = NOTHING
        """The demand's totals when it was queued."""

    @property
    def is_live(self) -> bool:
        """Whether it holds a slot."""
        return self.state is TaskState.DISPATCHED or self.state is TaskState.RUNNING

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


class Demand:
    """The task runs of one execution that ask for the same things, queued in order.

    `watching` is where the admission finds it again: at the one limit that keeps its head from
    starting. None while it is looked at or has nothing queued.
    """

    __slots__ = (
        "execution",
        "gates",
        "keys",
        "keys_since",
        "limits",
        "lines",
        "needs",
        "needs_worker",
        "number",
        "queue",
        "queued",
        "queued_told",
        "reservation",
        "reserved",
        "reserved_for",
        "seen_given",
        "snapshot",
        "totals",
        "totals_at",
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
        self.limits: dict[Limit, None] = dict.fromkeys(limit for limit, *_ in needs)
        self.lines = [
            limit.line(amount, exclusive=exclusive) for limit, amount, exclusive, _ in needs
        ]
        self.needs_worker = False
        self.queue: list[int] = []
        self.queued = 0
        self.watching: Watchers | None = None
        self.seen_given: list[int] | None = None
        """Units of each need's limit ever given out when its turn came first."""
        self.reservation = 0
        """Number of its reservation, the older the lower; 0: it has none."""
        self.reserved: dict[Limit, Need] = {}
        self.keys: tuple[str, ...] = ()
        self.keys_since = 0.0
        self.reserved_for = ""
        self.totals: defaultdict[str, float] = defaultdict(float)
        """Seconds waited since the demand is there, by LimitKey or Hold."""
        self.snapshot: Mapping[str, float] | None = None
        """The totals as they are, for those that enter now; None: not taken yet."""
        self.totals_at = 0.0
        self.queued_told = 0

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
        self.gate = Limit(Hold.PLAN, 0, is_local=True)


class ExecutionRun:
    """One open execution."""

    def __init__(self, id_: str, seq: int, group: Group, progress: ExecutionProgress) -> None:
        """Without tasks yet; `open_execution` gives it those."""
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
        self.paused = Limit(Hold.PAUSED, OPEN, is_local=True)
        self.critical_phase = Limit(Hold.CRITICAL_PHASE, OPEN, is_local=True)
        self.plan_holds: list[PlanHold] = []
        """Those that are not over."""
        self.fresh = Watchers(Limit("fresh", OPEN, is_local=True), self, ANY)
        """Demands to be looked at, whatever is freed."""
        self.own_limits: dict[str, Limit] = {}
        self.alone_s: dict[str, float] = dict(progress.alone)
        self.waited_s: defaultdict[tuple[str, ...], float] = defaultdict(float)
        """Task-seconds by all that was waited for at once."""
        for key, seconds in progress.waited.items():
            self.waited_s[key,] = seconds
        self.alone_now: dict[str, tuple[int, float]] = {}
        """By key: how many demands wait for it alone, and since when any does."""

    def counts(self) -> Counter[TaskState]:
        """How many task runs stand where."""
        return Counter(run.state for run in self.tasks.values())

    def own_limit(self, what: str, max_: int) -> Limit:
        """A limit that holds within this execution only."""
        key = local_key(self.id, what)
        return self.own_limits.setdefault(key, Limit(key, max_, is_local=True))

    def put_in_order(self, ranks: Mapping[str, int]) -> None:
        """Number the task runs by the order in which they want to start."""
        priorities = {run.id: run.priority for run in self.tasks.values()}
        order = graph.admission_order(self.group, priorities, self.urgencies, ranks)
        tasks = self.group.tasks
        self.by_order = [self.tasks[tasks[position].id] for position in order]
        for number, run in enumerate(self.by_order):
            run.order = number


def open_execution(
    id_: str, seq: int, group: Group, progress: ExecutionProgress, capacity: Capacity
) -> ExecutionRun:
    """An execution with its tasks where `progress` says they stand; nothing is held or queued."""
    execution = ExecutionRun(id_, seq, group, progress)
    built = graph.build(group.tasks)
    priorities = graph.inherited_priorities(built, group.tasks)
    critical = graph.critical_phase(group, priorities)
    numbers = graph.demand_numbers(group, critical)
    for task in group.tasks:
        run = TaskRun(execution, task, priorities[task.id])
        run.critical = task.id in critical
        execution.tasks[task.id] = run
        number = numbers[task.id]
        if number == len(execution.demands):
            execution.demands.append(_demand(execution, number, run, capacity))
        run.demand = execution.demands[number]
        remembered = progress.tasks.get(task.id)
        if remembered is not None:
            _remember(run, remembered)
        _count(execution, run)
    _connect(execution, built)
    limits = {LimitKey(limit.key): limit.max for limit in capacity.limits.values()}
    execution.urgencies = urgencies(group, built, capacities(group, limits))
    execution.put_in_order(group.ranks)
    if execution.critical_left:
        execution.critical_phase.resize(0)
    if execution.state is ExecutionState.PAUSED:
        execution.paused.resize(0)
    return execution


def _count(execution: ExecutionRun, run: TaskRun) -> None:
    is_open = run.state in OPEN_TASK_STATES
    execution.tasks_left += is_open
    if run.critical:
        execution.critical_left += is_open
        if run.state is TaskState.FAILED and not execution.critical_failure:
            execution.critical_failure = run.id


def _connect(execution: ExecutionRun, built: graph.Graph) -> None:
    tasks = execution.tasks
    for run in tasks.values():
        run.dependents = [tasks[id_] for id_ in built.dependents[run.id]]
        if run.state is not TaskState.COMPLETED:
            for dependent in run.dependents:
                dependent.needs_left += 1


def _remember(run: TaskRun, progress: TaskProgress) -> None:
    run.state = progress.state
    run.attempts = progress.attempts
    run.failures = progress.failures
    run.losses = progress.losses
    run.since = progress.since
    run.not_before = progress.not_before
    run.waits = progress.waits
    if progress.live is not None:
        run.attempts = progress.live.number
        run.worker = progress.live.worker
        run.dispatched_at = progress.live.dispatched_at
        run.started_at = progress.live.started_at


def _demand(execution: ExecutionRun, number: int, run: TaskRun, capacity: Capacity) -> Demand:
    """The class of the task: its gates, and its needs, those that few share first."""
    task, group = run.task, execution.group
    wanted: dict[LimitKey, tuple[int, bool]] = {}
    for requirement in task.requirements:
        key = limit_key(LimitKind.RESOURCE, requirement.resource)
        amount, exclusive = wanted.get(key, (0, False))
        exclusive = exclusive or requirement.exclusive
        wanted[key] = (1 if exclusive else amount + requirement.amount, exclusive)
    if task.team is not None:
        wanted[limit_key(LimitKind.TEAM, task.team)] = (1, False)
    if task.task_type is not None:
        wanted[limit_key(LimitKind.TASK_TYPE, task.task_type)] = (1, False)
    asked: list[tuple[Limit, int, bool]] = []
    for key, (amount, exclusive) in wanted.items():
        asked.append((capacity.site(key), amount, exclusive))
        if key in group.limits:
            asked.append((execution.own_limit(key, group.limits[key]), amount, exclusive))
    asked.append((execution.own_limit("max_concurrency", group.max_concurrency), 1, False))
    if task.needs_worker:
        asked.append((capacity.workers.limit, 1, False))
    needs = [
        limit.need(amount, execution, exclusive=exclusive) for limit, amount, exclusive in asked
    ]
    gates = [execution.paused]
    if not run.critical and group.critical_first:
        gates.append(execution.critical_phase)
    if run.id in group.holds:
        hold = PlanHold(execution, group.holds[run.id])
        execution.plan_holds.append(hold)
        gates.append(hold.gate)
    demand = Demand(execution, number, gates, needs)
    demand.needs_worker = task.needs_worker
    return demand
