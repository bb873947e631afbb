"""What may run beside what: independent tasks, split into resource-compatible groups.

Tasks of one level of the graph never depend on each other. Within a level, graph colouring gives
orders to put tasks into groups first fit; the order with the fewest groups wins.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import networkx as nx

from executions.scheduling import graph
from executions.scheduling.model import Group, LimitKey, LimitKind
from executions.scheduling.needs import Need, needs_by_task

COLOURED_AT_MOST: Final = 200
"""Larger sets are split by size of need alone, which is near-linear."""
CONFLICTS_A_GROUP: Final = 50
CONFLICTS_A_PLAN: Final = 5000
STRATEGIES: Final = ("largest_first", "saturation_largest_first", "smallest_last")
RESOURCE_PREFIX: Final = f"{LimitKind.RESOURCE}:"

Needs = tuple[Need, ...]


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two tasks that cannot hold the resource at the same time."""

    tasks: tuple[str, str]
    resource: str

    def as_json(self) -> dict[str, object]:
        """As in a plan."""
        return {"tasks": list(self.tasks), "resource": self.resource}


@dataclass(frozen=True, slots=True)
class ParallelGroup:
    """Tasks of one level that need nothing of each other and together fit every resource.

    `conflicts` are those that keep its tasks from other groups of the level: at most
    CONFLICTS_A_GROUP of them are listed.
    """

    level: int
    tasks: tuple[str, ...]
    conflicts: tuple[Conflict, ...]
    estimated_speedup: float

    @property
    def can_parallel(self) -> bool:
        """Whether there is more than one to run at once."""
        return len(self.tasks) > 1

    def as_json(self) -> dict[str, object]:
        """As in a plan."""
        return {
            "level": self.level,
            "tasks": list(self.tasks),
            "can_parallel": self.can_parallel,
            "conflicts": [conflict.as_json() for conflict in self.conflicts],
            "estimated_speedup": self.estimated_speedup,
        }


def parallel_groups(
    group: Group,
    built: graph.Graph,
    durations: Mapping[str, float],
    capacity: Mapping[LimitKey, int],
) -> tuple[ParallelGroup, ...]:
    """All tasks of the group, each in exactly one, in the order of the levels."""
    by_level: dict[int, list[str]] = defaultdict(list)
    levels = graph.levels(built)
    for task in group.tasks:
        by_level[levels[task.id]].append(task.id)
    needs = needs_by_task(group)
    listed = 0
    found = []
    for level in sorted(by_level):
        ids = by_level[level]
        resources = {id_: _resources(needs[id_]) for id_ in ids}
        parts = _split(ids, resources, capacity)
        for tasks, conflicts in zip(parts, _conflicts(parts, resources, capacity), strict=True):
            kept = conflicts[: max(0, CONFLICTS_A_PLAN - listed)]
            listed += len(kept)
            speedup = _speedup(tasks, needs, durations, capacity)
            found.append(ParallelGroup(level, tuple(tasks), tuple(kept), speedup))
    return tuple(found)


def _resources(needs: Needs) -> Needs:
    return tuple(need for need in needs if need.key.startswith(RESOURCE_PREFIX))


def _clash(one: Needs, other: Needs, capacity: Mapping[LimitKey, int]) -> str | None:
    """The first resource that both cannot hold at once."""
    for mine in one:
        for theirs in other:
            if mine.key == theirs.key and (
                mine.exclusive
                or theirs.exclusive
                or mine.amount + theirs.amount > capacity[mine.key]
            ):
                return mine.key.removeprefix(RESOURCE_PREFIX)
    return None


# ---------------------------------------------------------------- splitting


def _split(
    ids: Sequence[str], resources: Mapping[str, Needs], capacity: Mapping[LimitKey, int]
) -> list[list[str]]:
    """The fewest groups found; each in the order of the task group, and so are the groups."""
    position = {id_: place for place, id_ in enumerate(ids)}
    needy = [id_ for id_ in ids if resources[id_]]
    if not needy:
        return [list(ids)]
    best = min(
        (_first_fit(order, resources, capacity) for order in _orders(needy, resources, capacity)),
        key=len,
    )
    best[0].extend(id_ for id_ in ids if not resources[id_])
    for part in best:
        part.sort(key=position.__getitem__)
    return sorted(best, key=lambda part: position[part[0]])


def _orders(
    ids: Sequence[str], resources: Mapping[str, Needs], capacity: Mapping[LimitKey, int]
) -> Iterator[list[str]]:
    yield sorted(ids, key=lambda id_: -_weight(resources[id_], capacity))
    if len(ids) > COLOURED_AT_MOST:
        return
    conflicts = nx.Graph()
    conflicts.add_nodes_from(ids)
    for one, other in combinations(ids, 2):
        if _clash(resources[one], resources[other], capacity) is not None:
            conflicts.add_edge(one, other)
    for strategy in STRATEGIES:
        colour = nx.greedy_color(conflicts, strategy=strategy)
        yield sorted(ids, key=lambda id_: colour[id_])


def _weight(needs: Needs, capacity: Mapping[LimitKey, int]) -> float:
    return max(need.units(capacity[need.key]) / max(1, capacity[need.key]) for need in needs)


def _first_fit(
    order: Iterable[str], resources: Mapping[str, Needs], capacity: Mapping[LimitKey, int]
) -> list[list[str]]:
    """Each task goes to the first group with room; equal needs never look back."""
    parts: list[list[str]] = []
    used: list[dict[LimitKey, int]] = []
    first: dict[Needs, int] = {}
    for id_ in order:
        needs = resources[id_]
        place = first.get(needs, 0)
        while place < len(parts) and not _fits(needs, used[place], capacity):
            place += 1
        if place == len(parts):
            parts.append([])
            used.append({})
        parts[place].append(id_)
        for need in needs:
            units = need.units(capacity[need.key])
            used[place][need.key] = used[place].get(need.key, 0) + units
        first[needs] = place
    return parts


def _fits(needs: Needs, used: Mapping[LimitKey, int], capacity: Mapping[LimitKey, int]) -> bool:
    for need in needs:
        taken = used.get(need.key, 0)
        if taken and taken + need.units(capacity[need.key]) > capacity[need.key]:
            return False
    return True


# ---------------------------------------------------------------- what is told of a group


def _conflicts(
    parts: Sequence[Sequence[str]],
    resources: Mapping[str, Needs],
    capacity: Mapping[LimitKey, int],
) -> Iterator[list[Conflict]]:
    """For each group, what keeps its tasks apart from others of the level.

    Tasks are looked up by what they need, so that only real conflicts cost time.
    """
    by_needs: dict[Needs, list[str]] = defaultdict(list)
    for part in parts:
        for id_ in part:
            if resources[id_]:
                by_needs[resources[id_]].append(id_)
    clashes = {
        one: [
            (other, resource)
            for other in by_needs
            if (resource := _clash(one, other, capacity)) is not None
        ]
        for one in by_needs
    }
    for part in parts:
        inside = set(part)
        found: list[Conflict] = []
        for id_ in part:
            for needs, resource in clashes.get(resources[id_], ()):
                for other in by_needs[needs]:
                    if len(found) >= CONFLICTS_A_GROUP:
                        break
                    if other not in inside:
                        found.append(Conflict((id_, other), resource))
        yield found


def _speedup(
    tasks: Sequence[str],
    needs: Mapping[str, Needs],
    durations: Mapping[str, float],
    capacity: Mapping[LimitKey, int],
) -> float:
    """Work over the time it takes at best under the limits, when the group runs alone."""
    total = sum(durations[id_] for id_ in tasks)
    work: dict[LimitKey, float] = {}
    for id_ in tasks:
        for need in needs[id_]:
            most = capacity.get(need.key, 0)
            if most:
                units = durations[id_] * need.units(most) / most
                work[need.key] = work.get(need.key, 0.0) + units
    best = max([max(durations[id_] for id_ in tasks), *work.values()])
    return round(total / best, 2) if best > 0 else float(len(tasks))
