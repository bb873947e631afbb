"""Tasks and groups with defaults, and a short way to run them on a virtual clock."""

from __future__ import annotations

from executions.scheduling.machine import Machine
from executions.scheduling.messages import (
    AttemptCompleted,
    AttemptFailed,
    Dispatch,
    ExecutionSubmitted,
    LimitsChanged,
    WorkersChanged,
)
from executions.scheduling.model import Group, LimitKey, LimitKind, Requirement, Task, limit_key
from executions.scheduling.simulation import SimulationResult, simulate

X = "PEXEC-1"
Y = "PEXEC-2"


def task(id_: str, *depends_on: str, needs: tuple[Requirement, ...] = (), **fields) -> Task:
    return Task(id_, depends_on=depends_on, requirements=needs, **fields)


def group(*tasks: Task, **fields) -> Group:
    return Group("group", tasks, **{"max_concurrency": 100, **fields})


def alone(resource: str) -> Requirement:
    return Requirement(resource, exclusive=True)


def units(resource: str, amount: int = 1) -> Requirement:
    return Requirement(resource, amount)


def site(**limits: int) -> dict[LimitKey, int]:
    """`site(team_dev=3, resource_db=1)`."""
    found = {}
    for name, value in limits.items():
        kind, _, rest = name.replace("task_type", "tasktype").partition("_")
        found[limit_key(LimitKind(kind.replace("tasktype", "task_type")), rest)] = value
    return found


def run(of: Group, **options) -> SimulationResult:
    """How the group goes alone on a site with the given limits."""
    return simulate(of, **{"limits": {}, **options})


def times(result: SimulationResult) -> dict[str, tuple[float, float]]:
    return {s.id: (s.started_at, s.finished_at) for s in result.schedule}


def states(result: SimulationResult) -> dict[str, str]:
    return {s.id: s.status.value for s in result.schedule}


class Site:
    """A machine, its clock and its last decision, driven by hand."""

    def __init__(self, limits=None, slots: int = 100, **options) -> None:
        self.machine = Machine(**options)
        self.now = 0.0
        self.decision = self.tell(LimitsChanged(limits or {}), WorkersChanged({"w": slots}))

    def tell(self, *events, after: float = 0.0):
        self.now += after
        self.decision = self.machine.handle(events, self.now)
        self.machine.check()
        return self.decision

    def submit(self, of: Group, execution: str = X, progress=None):
        return self.tell(ExecutionSubmitted(execution, of, progress))

    def complete(self, *tasks: str, execution: str = X, attempt: int = 1, after: float = 1.0):
        at = self.now + after
        return self.tell(
            *(AttemptCompleted(execution, t, attempt, self.now, at) for t in tasks), after=after
        )

    def fail(self, task_id: str, execution: str = X, attempt: int = 1, after: float = 1.0, **more):
        at = self.now + after
        return self.tell(
            AttemptFailed(execution, task_id, attempt, self.now, at, "boom", **more), after=after
        )

    @property
    def dispatched(self) -> list[str]:
        """Tasks the last decision dispatched, in order."""
        return [i.task for i in self.decision.instructions if isinstance(i, Dispatch)]

    @property
    def moves(self) -> dict[str, str]:
        """Last state of each task the last decision changed."""
        return {t.task: t.finish.value for t in self.decision.transitions}

    def instructions(self, kind) -> list:
        return [i for i in self.decision.instructions if isinstance(i, kind)]

    def keys(self, execution: str = X) -> list[tuple[str, ...]]:
        return [wait.keys for wait in self.machine.waiting(execution)]
