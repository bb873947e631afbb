"""How early a task wants to start: by the chain of work behind it, and by what that work will hold.

Where there is too little of a resource, a team or a type for all at once, a chain alone misleads:
the work behind a task may be held up by what is scarce far longer than the chain is long. There
the order is by the chain counted from the middle of the task, plus half the time that all work
behind it keeps the scarcest of them busy. Else it is the remaining chain alone, for what all tasks
need alike (`max_concurrency`, workers) puts none before another.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from typing import Final

from executions.scheduling import graph
from executions.scheduling.model import WORKERS, Group, LimitKey
from executions.scheduling.needs import MAX_CONCURRENCY, needs_by_task

TASKS_WEIGHED: Final = 500
"""Larger groups go by the chain alone: weighing what lies behind each task is quadratic."""
COMMON: Final = frozenset({MAX_CONCURRENCY, WORKERS})
"""What tasks need alike."""


def urgencies(
    group: Group, built: graph.Graph, capacity: Mapping[LimitKey, int]
) -> Mapping[str, float]:
    """For each task a number of seconds; the greater, the earlier it wants to start."""
    chains = graph.remaining_chains_s(built, group.tasks)
    if len(group.tasks) > TASKS_WEIGHED:
        return chains
    busy = _busy_shares(group, capacity)
    if not busy:
        return chains
    behind = _behind(built)
    found = {}
    for task in group.tasks:
        held: dict[LimitKey, list[float]] = {}
        for id_ in (task.id, *behind[task.id]):
            for key, seconds in busy.get(id_, ()):
                held.setdefault(key, []).append(seconds)
        # fsum: what comes out of a set in any order has to give the same sum in every process
        scarcest = max((math.fsum(seconds) for seconds in held.values()), default=0.0)
        found[task.id] = chains[task.id] - graph.estimated_s(task) / 2 + scarcest / 2
    return found


def _busy_shares(
    group: Group, capacity: Mapping[LimitKey, int]
) -> dict[str, list[tuple[LimitKey, float]]]:
    """How long each task keeps how much of what is scarce busy, as seconds of all of it."""
    needs = needs_by_task(group)
    asked: defaultdict[LimitKey, int] = defaultdict(int)
    for task in group.tasks:
        for need in needs[task.id]:
            asked[need.key] += need.units(capacity.get(need.key, 0))
    scarce = {key for key, units in asked.items() if units > capacity.get(key, 0) > 0} - COMMON
    found = {}
    for task in group.tasks:
        shares = [
            (need.key, graph.estimated_s(task) * need.units(most) / most)
            for need in needs[task.id]
            if need.key in scarce and (most := capacity[need.key])
        ]
        if shares:
            found[task.id] = shares
    return found


def _behind(built: graph.Graph) -> dict[str, frozenset[str]]:
    """All that depends on each task, however far."""
    found: dict[str, frozenset[str]] = {}
    for id_ in reversed(built.order):
        direct = built.dependents[id_]
        found[id_] = frozenset(direct).union(*(found[dependent] for dependent in direct))
    return found
