"""How fast a group could run at best: bounds that no schedule can beat, each with its cause."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from executions.scheduling import graph
from executions.scheduling.model import Group, LimitKey
from executions.scheduling.needs import capacities, needs_by_task

CHAIN: Final = "chain"
"""Stands where a limit's name would: the longest chain of dependencies binds."""


class Bound(NamedTuple):
    """No schedule is shorter than `seconds`, because of `limit` (a limit's key, or CHAIN)."""

    limit: str
    seconds: float


def chain_bound_s(group: Group, durations: Mapping[str, float]) -> float:
    """The longest chain of dependent work; tasks without a duration count nothing."""
    chains = graph.remaining_chains_s(
        graph.build(group.tasks), group.tasks, lambda task: durations.get(task.id, 0.0)
    )
    return max(chains.values(), default=0.0)


def work_s(
    group: Group, durations: Mapping[str, float], capacity: Mapping[LimitKey, int]
) -> dict[LimitKey, float]:
    """Unit-seconds under each limit; alone means all its units."""
    by_needs: dict[int, float] = {}
    needs = needs_by_task(group)
    for id_, needed in needs.items():
        by_needs[id(needed)] = by_needs.get(id(needed), 0.0) + durations.get(id_, 0.0)
    work = dict.fromkeys(capacity, 0.0)
    for needed in {id(needed): needed for needed in needs.values()}.values():
        for need in needed:
            if need.key in work:
                work[need.key] += by_needs[id(needed)] * need.units(capacity[need.key])
    return work


def bounds(
    group: Group, durations: Mapping[str, float], capacity: Mapping[LimitKey, int]
) -> list[Bound]:
    """Every bound, the greatest first. What is closed bounds nothing: it may be opened."""
    found = [Bound(CHAIN, chain_bound_s(group, durations))]
    for key, work in work_s(group, durations, capacity).items():
        if capacity[key] > 0:
            found.append(Bound(key, work / capacity[key]))
    return sorted(found, key=lambda bound: -bound.seconds)


def lower_bound(
    group: Group,
    durations: Mapping[str, float],
    limits: Mapping[LimitKey, int],
    worker_slots: int | None = None,
) -> Bound:
    """The greatest of all bounds under the site's limits."""
    return bounds(group, durations, capacities(group, limits, worker_slots))[0]
