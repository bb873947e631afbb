"""Fast schedules of a whole group, for the search to try many: no machine, no states, no retries.

Two ways to make a schedule out of an order. *Serial*: each task in turn as early as it fits, gaps
filled; it may keep room free on purpose. *Parallel*: at each instant start what fits, first in
order first; that is what the dispatcher does. Either runs backwards too, over the reversed graph.

What is free is one integer with a field for each limit and a guard bit above each field, so that
one subtraction tells whether everything fits.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heappop, heappush

from executions.scheduling import graph
from executions.scheduling.conditions import Conditions
from executions.scheduling.model import LimitKey
from executions.scheduling.needs import needs_by_task


@dataclass(frozen=True, slots=True)
class Problem:
    """A group by numbers, in topological order: task `i` depends only on tasks before it.

    `free` and `needs` are packed as the module says; `guards` has all guard bits.
    """

    ids: tuple[str, ...]
    durations: tuple[float, ...]
    needed: tuple[tuple[int, ...], ...]
    dependents: tuple[tuple[int, ...], ...]
    needs: tuple[int, ...]
    free: int
    guards: int
    priorities: tuple[int, ...]

    @property
    def has_one_priority(self) -> bool:
        """Whether no task is to go before another but by the plan."""
        return len(set(self.priorities)) <= 1


def problem_of(conditions: Conditions) -> Problem:
    """The group under its conditions. Limits that can never bind are left out."""
    group = conditions.group
    built = graph.build(group.tasks)
    place = {id_: i for i, id_ in enumerate(built.order)}
    tasks = {task.id: task for task in group.tasks}
    capacity = conditions.capacities()
    by_task = needs_by_task(group)
    asked: dict[LimitKey, int] = dict.fromkeys(capacity, 0)
    for needs in by_task.values():
        for need in needs:
            if need.key in capacity:
                asked[need.key] += need.units(capacity[need.key])
    binding = [key for key, units in asked.items() if units > capacity[key]]
    shift, width = {}, 0
    free = guards = 0
    for key in binding:
        shift[key] = width
        free |= capacity[key] << width
        width += max(capacity[key], asked[key]).bit_length() + 1
        guards |= 1 << (width - 1)
    packed = [
        sum(n.units(capacity[n.key]) << shift[n.key] for n in by_task[id_] if n.key in shift)
        for id_ in built.order
    ]
    priorities = graph.inherited_priorities(built, group.tasks)
    return Problem(
        ids=built.order,
        durations=tuple(graph.estimated_s(tasks[id_]) for id_ in built.order),
        needed=tuple(tuple(place[d] for d in built.dependencies[i]) for i in built.order),
        dependents=tuple(tuple(place[d] for d in built.dependents[i]) for i in built.order),
        needs=tuple(packed),
        free=free,
        guards=guards,
        priorities=tuple(priorities[id_] for id_ in built.order),
    )


def serial(  # noqa: C901 the inner loop of the search: calls would cost more than they say
    problem: Problem, order: Sequence[int], needed: Sequence[Sequence[int]]
) -> tuple[list[float], float]:
    """(starts, makespan). `order` names every task after all that it needs."""
    durations, needs, guards = problem.durations, problem.needs, problem.guards
    times = [0.0]
    free = [problem.free | guards]
    starts = [0.0] * len(durations)
    ends = [0.0] * len(durations)
    for i in order:
        earliest = 0.0
        for j in needed[i]:
            if ends[j] > earliest:  # noqa: PLR1730 a call costs three times as much
                earliest = ends[j]
        duration, need = durations[i], needs[i]
        if not need or not duration:
            starts[i], ends[i] = earliest, earliest + duration
            continue
        at = bisect_right(times, earliest) - 1
        start, until = earliest, at
        count = len(times)
        while True:
            finish = start + duration
            while until < count and times[until] < finish:
                if (free[until] - need) & guards != guards:
                    break
                until += 1
            else:
                break
            until += 1
            at, start = until, times[until]
        starts[i], ends[i] = start, finish
        if times[at] != start:
            at += 1
            times.insert(at, start)
            free.insert(at, free[at - 1])
            until += 1
        if until == len(times) or times[until] != finish:
            times.insert(until, finish)
            free.insert(until, free[until - 1])
        for k in range(at, until):
            free[k] -= need
    return starts, max(ends, default=0.0)


def parallel(  # noqa: C901, PLR0912 as above
    problem: Problem,
    order: Sequence[int],
    needed: Sequence[Sequence[int]],
    dependents: Sequence[Sequence[int]],
    not_before: Sequence[float] | None = None,
) -> tuple[list[float], float]:
    """(starts, makespan). `not_before`: when each task may start at the earliest."""
    durations, needs, guards = problem.durations, problem.needs, problem.guards
    count = len(durations)
    rank = [0] * count
    for position, i in enumerate(order):
        rank[i] = position
    missing = [len(n) for n in needed]
    free = problem.free | guards
    starts = [0.0] * count
    ready = sorted(rank[i] for i in range(count) if not missing[i])
    running: list[tuple[float, int]] = []
    now = 0.0
    while True:
        left = []
        while ready:
            fits_later = []
            batch, ready = ready, []
            for position in batch:
                i = order[position]
                if not_before is not None and not_before[i] > now:
                    fits_later.append(position)
                    heappush(running, (not_before[i], -1))
                    continue
                rest = free - needs[i]
                if rest & guards != guards:
                    fits_later.append(position)
                    continue
                starts[i] = now
                if durations[i]:
                    free = rest
                    heappush(running, (now + durations[i], i))
                    continue
                for j in dependents[i]:
                    missing[j] -= 1
                    if not missing[j]:
                        insort(ready, rank[j])
            left.extend(fits_later)
        ready = sorted(left)
        if not running:
            return starts, now
        now = running[0][0]
        while running and running[0][0] <= now:
            i = heappop(running)[1]
            if i < 0:
                continue
            free += needs[i]
            for j in dependents[i]:
                missing[j] -= 1
                if not missing[j]:
                    insort(ready, rank[j])
