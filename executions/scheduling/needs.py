"""What each task takes of each limit, and how much there is: values to reckon with.

Keys are site keys (`team:dev_team`) and `max_concurrency`; a group's own limits are folded into
the site's, since the lower of both holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from executions.scheduling.model import (
    WORKERS,
    Group,
    LimitKey,
    LimitKind,
    Task,
    limit_key,
)

MAX_CONCURRENCY: Final = LimitKey("max_concurrency")
OWN: Final = "own/"


class Need(NamedTuple):
    """What one attempt takes of one limit; `exclusive` means all of it."""

    key: LimitKey
    amount: int
    exclusive: bool

    def units(self, capacity: int) -> int:
        """How much of the capacity is gone while it is held."""
        return max(self.amount, capacity) if self.exclusive else self.amount


def needs_of(task: Task) -> tuple[Need, ...]:
    """Everything the task holds while it runs."""
    wanted: dict[LimitKey, tuple[int, bool]] = {MAX_CONCURRENCY: (1, False)}
    if task.needs_worker:
        wanted[WORKERS] = (1, False)
    if task.team is not None:
        wanted[limit_key(LimitKind.TEAM, task.team)] = (1, False)
    if task.task_type is not None:
        wanted[limit_key(LimitKind.TASK_TYPE, task.task_type)] = (1, False)
    for requirement in task.requirements:
        key = limit_key(LimitKind.RESOURCE, requirement.resource)
        amount, exclusive = wanted.get(key, (0, False))
        wanted[key] = (amount + requirement.amount, exclusive or requirement.exclusive)
    return tuple(Need(key, amount, exclusive) for key, (amount, exclusive) in wanted.items())


def needs_by_task(group: Group) -> dict[str, tuple[Need, ...]]:
    """Of every task, by id; tasks that ask for the same share one tuple."""
    known: dict[object, tuple[Need, ...]] = {}
    found = {}
    for task in group.tasks:
        asked = (task.team, task.task_type, task.requirements, task.needs_worker)
        if asked not in known:
            known[asked] = needs_of(task)
        found[task.id] = known[asked]
    return found


def capacities(
    group: Group, limits: Mapping[LimitKey, int], worker_slots: int | None = None
) -> dict[LimitKey, int]:
    """What there is of everything the group's tasks need; what the site does not have is 0.

    `worker_slots` None: as many as can be used.
    """
    found = {MAX_CONCURRENCY: group.max_concurrency}
    for needs in set(needs_by_task(group).values()):
        for key, _, _ in needs:
            if key == WORKERS:
                if worker_slots is not None:
                    found[key] = worker_slots
            elif key not in found:
                found[key] = min(limits.get(key, 0), group.limits.get(key, limits.get(key, 0)))
    return found


def unneeded(group: Group, keys: Iterable[LimitKey]) -> tuple[LimitKey, ...]:
    """Those of these limits that no task of the group takes anything of."""
    needed = capacities(group, {}, 0)
    return tuple(key for key in keys if key not in needed)


def limit_name(key: str) -> str:
    """The name people see: an execution's own limits without its id.

    `PEXEC-1/max_concurrency` is `max_concurrency`, `PEXEC-1/team:dev` is `own/team:dev`.
    """
    execution, slash, what = key.partition("/")
    if not slash or ":" in execution:
        return key
    return f"{OWN}{what}" if ":" in what else what


def waits_by_name(waits: Mapping[str, float]) -> dict[str, float]:
    """Seconds waited, by the name people see of what was waited for."""
    return {limit_name(key): seconds for key, seconds in waits.items()}
