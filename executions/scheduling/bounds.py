"""How fast a group could run at best: bounds that no schedule can beat, each with its cause."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from executions.scheduling import graph
from executions.scheduling.model import Group, LimitKey
from executions.scheduling.needs import capacities, needs_by_task

CHAIN: Final = "chain"
"""Stands where a limit's name would: the longest chain of dependencies binds."""
STARTS_TRIED: Final = 40


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


def tight_bound_s(
    group: Group, durations: Mapping[str, float], capacity: Mapping[LimitKey, int]
) -> float:
    """A bound at least as great as `bounds`: what must come before and after the work counts too.

    The tasks with at least so much before and after them, sharing a limit, take their work over
    its capacity, and before and after that nothing of them runs. A sample of starts is tried.
    """
    built = graph.build(group.tasks)
    rest = graph.remaining_chains_s(built, group.tasks, lambda task: durations.get(task.id, 0.0))
    after = {id_: rest[id_] - durations.get(id_, 0.0) for id_ in rest}
    before: dict[str, float] = {}
    for id_ in built.order:
        needed = built.dependencies[id_]
        before[id_] = max((before[d] + durations.get(d, 0.0) for d in needed), default=0.0)
    needs = needs_by_task(group)
    late_last = sorted(after, key=lambda id_: -after[id_])
    starts = sorted(set(before.values()))
    best = bounds(group, durations, capacity)[0].seconds
    for start in starts[:: max(1, len(starts) // STARTS_TRIED)]:
        busy = dict.fromkeys((key for key in capacity if capacity[key] > 0), 0.0)
        for id_ in late_last:
            if before[id_] < start:
                continue
            for need in needs[id_]:
                if need.key in busy:
                    most = capacity[need.key]
                    busy[need.key] += durations.get(id_, 0.0) * need.units(most) / most
                    best = max(best, start + busy[need.key] + after[id_])
    return best
