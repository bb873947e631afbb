"""What the dependencies of a task group imply: cycles, levels, chains, inherited priority.

Plain walks over ids, linear in tasks and dependencies; knows nothing of limits or states.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from executions.scheduling.model import (
    CRITICAL_PRIORITY,
    DEFAULT_DURATION_S,
    Group,
    Requirement,
    Task,
)

DemandKey = tuple[str | None, str | None, tuple[Requirement, ...], bool, bool, float | None]
"""What a task asks for: team, type, requirements, a worker; whether in the critical phase; until
when a plan holds it back."""

NO_RANK: Final = float("inf")


class CycleFound(ValueError):  # noqa: N818 named for what happened
    """Tasks depend on each other in a circle, so none of them can ever start. Break the circle."""

    def __init__(self, cycle: Sequence[str]) -> None:
        """`cycle` begins and ends with the same task id."""
        super().__init__(" → ".join(cycle))
        self.cycle = tuple(cycle)


@dataclass(frozen=True, slots=True)
class Graph:
    """A group's dependency graph. `order` lists every id after all that it depends on."""

    order: tuple[str, ...]
    dependencies: Mapping[str, tuple[str, ...]]
    dependents: Mapping[str, tuple[str, ...]]


def estimated_s(task: Task) -> float:
    """The task's estimate, or what is assumed where there is none."""
    return DEFAULT_DURATION_S if task.duration_s is None else task.duration_s


def find_cycle(tasks: Sequence[Task]) -> list[str] | None:
    """One circle of dependencies, its first id repeated at its end; None: there is none.

    Dependencies on ids that are not among `tasks` are passed over.
    """
    try:
        build(tasks)
    except CycleFound as found:
        return list(found.cycle)
    return None


def build(tasks: Sequence[Task]) -> Graph:
    """The graph of `tasks`. Raises `CycleFound`."""
    ids = {task.id for task in tasks}
    dependencies = {
        task.id: tuple(dict.fromkeys(d for d in task.depends_on if d in ids)) for task in tasks
    }
    dependents: dict[str, list[str]] = {id_: [] for id_ in dependencies}
    for id_, needed in dependencies.items():
        for dependency in needed:
            dependents[dependency].append(id_)
    open_left = {id_: len(needed) for id_, needed in dependencies.items()}
    ready = deque(id_ for id_, left in open_left.items() if not left)
    order: list[str] = []
    while ready:
        id_ = ready.popleft()
        order.append(id_)
        for dependent in dependents[id_]:
            open_left[dependent] -= 1
            if not open_left[dependent]:
                ready.append(dependent)
    if len(order) < len(dependencies):
        raise CycleFound(_walk_cycle(dependencies, set(dependencies) - set(order)))
    return Graph(tuple(order), dependencies, {id_: tuple(d) for id_, d in dependents.items()})


def _walk_cycle(dependencies: Mapping[str, tuple[str, ...]], stuck: set[str]) -> list[str]:
    """Every stuck task depends on a stuck task: walking on must come back to where it was."""
    path: list[str] = []
    at: dict[str, int] = {}
    here = next(id_ for id_ in dependencies if id_ in stuck)
    while here not in at:
        at[here] = len(path)
        path.append(here)
        here = next(d for d in dependencies[here] if d in stuck)
    return [*path[at[here] :], here]


def inherited_priorities(graph: Graph, tasks: Sequence[Task]) -> dict[str, int]:
    """Each task's priority, or the highest among all that depend on it, if that is higher."""
    found = {task.id: task.priority for task in tasks}
    for id_ in reversed(graph.order):
        for dependency in graph.dependencies[id_]:
            found[dependency] = max(found[dependency], found[id_])
    return found


def remaining_chains_s(
    graph: Graph,
    tasks: Sequence[Task],
    duration_s: Callable[[Task], float] = estimated_s,
) -> dict[str, float]:
    """For each task, the longest chain of estimated work from its start to the end of the run."""
    own = {task.id: duration_s(task) for task in tasks}
    found: dict[str, float] = {}
    for id_ in reversed(graph.order):
        found[id_] = own[id_] + max((found[d] for d in graph.dependents[id_]), default=0.0)
    return found


def levels(graph: Graph) -> dict[str, int]:
    """For each task, how many tasks lie on the longest way to it: 0 for those without needs."""
    found: dict[str, int] = {}
    for id_ in graph.order:
        found[id_] = 1 + max((found[d] for d in graph.dependencies[id_]), default=-1)
    return found


def critical_path(
    graph: Graph,
    tasks: Sequence[Task],
    duration_s: Callable[[Task], float] = estimated_s,
) -> list[str]:
    """The longest chain of estimated work, first task first."""
    chains = remaining_chains_s(graph, tasks, duration_s)
    path: list[str] = []
    following = [id_ for id_ in graph.order if not graph.dependencies[id_]]
    while following:
        id_ = max(following, key=chains.__getitem__)
        path.append(id_)
        following = list(graph.dependents[id_])
    return path


def critical_phase(group: Group, priorities: Mapping[str, int] | None = None) -> frozenset[str]:
    """The tasks that run first and alone: critical ones and what they depend on."""
    if not group.critical_first:
        return frozenset()
    if priorities is None:
        priorities = inherited_priorities(build(group.tasks), group.tasks)
    return frozenset(id_ for id_, priority in priorities.items() if priority >= CRITICAL_PRIORITY)


def demand_key(task: Task, *, critical: bool, held_s: float | None = None) -> DemandKey:
    """What the task asks for. Tasks with equal keys wait for the same things."""
    return (task.team, task.task_type, task.requirements, task.needs_worker, critical, held_s)


def demand_numbers(group: Group, critical: frozenset[str] | None = None) -> dict[str, int]:
    """The number of each task's demand class, counted by first appearance in the group."""
    if critical is None:
        critical = critical_phase(group)
    numbers: dict[DemandKey, int] = {}
    return {
        task.id: numbers.setdefault(
            demand_key(task, critical=task.id in critical, held_s=group.holds.get(task.id)),
            len(numbers),
        )
        for task in group.tasks
    }


def admission_order(
    group: Group,
    priorities: Mapping[str, int],
    urgencies: Mapping[str, float],
    ranks: Mapping[str, int],
) -> list[int]:
    """Positions of the group's tasks in the order in which they want to start.

    Inherited priority, then the plan's rank, then urgency, then position.
    """
    tasks = group.tasks
    return sorted(
        range(len(tasks)),
        key=lambda i: (
            -priorities[tasks[i].id],
            ranks.get(tasks[i].id, NO_RANK),
            -urgencies[tasks[i].id],
            i,
        ),
    )
