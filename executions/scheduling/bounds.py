"""How fast a group could run at best: bounds that no schedule can beat, each with its cause."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from executions.scheduling import graph
from executions.scheduling.model import Group, LimitKey
from executions.scheduling.needs import needs_by_task

CHAIN: Final = "chain"
"""Stands where a limit's name would: the longest chain of dependencies binds."""
STARTS_TRIED: Final = 40
LOOKS_AT_MOST: Final = 100_000
"""Of starts times tasks: large groups try fewer starts."""
MORE: Final = 1e-9
"""So much greater at least, relatively: the same bound, summed otherwise, is not another."""


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
    group: Group, durations: Mapping[str, float], capacity: Mapping[LimitKey, int]
) -> Bound:
    """The greatest bound known: of `bounds`, and of work with what must come before and after.

    Tasks with at least so much before and after them that share a limit take their work over its
    capacity, and before and after that nothing of them runs. A sample of starts is tried.
    """
    best = bounds(group, durations, capacity)[0]
    least_s = best.seconds * (1 + MORE)
    before, after = _before_and_after(group, durations)
    shares = _shares(group, durations, capacity)
    late_last = sorted(after, key=lambda id_: -after[id_])
    starts = sorted(set(before.values()))
    tries = min(STARTS_TRIED, max(1, LOOKS_AT_MOST // max(1, len(late_last))))
    for start in starts[:: max(1, len(starts) // tries)]:
        busy: dict[LimitKey, float] = {}
        for id_ in late_last:
            if before[id_] < start:
                continue
            least = start + after[id_]
            for key, seconds in shares[id_]:
                work = busy[key] = busy.get(key, 0.0) + seconds
                if least + work > least_s:
                    least_s = least + work
                    best = Bound(key, least_s)
    return best


def _before_and_after(
    group: Group, durations: Mapping[str, float]
) -> tuple[dict[str, float], dict[str, float]]:
    """For each task the longest chains that must come before it, and after it."""
    built = graph.build(group.tasks)
    rest = graph.remaining_chains_s(built, group.tasks, lambda task: durations.get(task.id, 0.0))
    before: dict[str, float] = {}
    for id_ in built.order:
        needed = built.dependencies[id_]
        before[id_] = max((before[d] + durations.get(d, 0.0) for d in needed), default=0.0)
    return before, {id_: seconds - durations.get(id_, 0.0) for id_, seconds in rest.items()}


def _shares(
    group: Group, durations: Mapping[str, float], capacity: Mapping[LimitKey, int]
) -> dict[str, list[tuple[LimitKey, float]]]:
    """For each task how long it keeps each limit busy, as seconds of all of the limit."""
    return {
        id_: [
            (need.key, durations.get(id_, 0.0) * need.units(most) / most)
            for need in needs
            if (most := capacity.get(need.key, 0)) > 0
        ]
        for id_, needs in needs_by_task(group).items()
    }
