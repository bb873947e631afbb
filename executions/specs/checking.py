"""What a spec means and whether that can ever run: ids, dependencies, cycles, limits, payloads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import partial
from typing import Any

from executions.scheduling.graph import find_cycle
from executions.scheduling.model import LimitKey, LimitKind, Task, limit_key
from executions.specs.faults import Fault
from executions.specs.shapes import RequirementSpec, TaskGroupSpec, TaskSpec

SiteLimits = Mapping[LimitKey, int]
"""Every team, task type and resource of the site with its limit (see `limit_key`)."""

CheckPayload = Callable[
    [str, Mapping[str, Any], Callable[[], AbstractSet[str]]], Sequence[tuple[str, str]]
]
"""Runner, payload, and a function for the tasks that are done before, to faults: (place within the
payload, or empty: the runner; message)."""

CYCLES_TOLD = 20


def validate(spec: TaskGroupSpec, *, site: SiteLimits, check_payload: CheckPayload) -> list[Fault]:
    """Everything that keeps this spec from running here, each with its place."""
    return [
        *structure_faults(spec),
        *_own_limit_faults(spec, site),
        *_site_faults(spec, site),
        *_payload_faults(spec, check_payload),
    ]


def structure_faults(spec: TaskGroupSpec) -> list[Fault]:
    """What is wrong within the spec, whatever the site has."""
    first: dict[str, int] = {}
    faults = []
    for i, task in enumerate(spec.tasks):
        if first.setdefault(task.id, i) != i:
            faults.append(
                Fault(f"tasks[{i}].id", f"'{task.id}' is already the id of tasks[{first[task.id]}]")
            )
    for i, task in enumerate(spec.tasks):
        faults.extend(_dependency_faults(i, task, first))
        faults.extend(_repeated_needs(i, task))
    faults.extend(_cycle_faults(spec, first))
    return faults


def _dependency_faults(i: int, task: TaskSpec, known: Mapping[str, int]) -> Iterator[Fault]:
    for n, dependency in enumerate(task.depends_on):
        place = f"tasks[{i}].depends_on[{n}]"
        if dependency == task.id:
            yield Fault(place, f"'{task.id}' depends on itself")
        elif dependency not in known:
            yield Fault(place, f"no task '{dependency}'")


def _repeated_needs(i: int, task: TaskSpec) -> Iterator[Fault]:
    seen: set[str] = set()
    for n, need in enumerate(task.required_resources):
        if need.id in seen:
            place = f"tasks[{i}].required_resources[{n}].id"
            yield Fault(place, f"'{need.id}' is asked for more than once")
        seen.add(need.id)


def _cycle_faults(spec: TaskGroupSpec, first: Mapping[str, int]) -> Iterator[Fault]:
    """Each cycle once, at its first task; a cycle is left out to look for the next."""
    tasks = {
        t.id: Task(id=t.id, depends_on=tuple(d for d in t.depends_on if d != t.id))
        for t in spec.tasks
        if t.depends_on
    }
    for _ in range(CYCLES_TOLD):
        cycle = find_cycle(tuple(tasks.values()))
        if cycle is None:
            return
        start = min(range(len(cycle) - 1), key=lambda n: first[cycle[n]])
        turned = [*cycle[start:-1], *cycle[:start], cycle[start]]
        yield Fault(f"tasks[{first[turned[0]]}].depends_on", f"a cycle: {' → '.join(turned)}")
        for id_ in cycle:
            tasks.pop(id_, None)


def _own_limit_faults(spec: TaskGroupSpec, site: SiteLimits) -> Iterator[Fault]:
    for kind, names in (
        (LimitKind.TEAM, spec.limits.team),
        (LimitKind.TASK_TYPE, spec.limits.task_type),
    ):
        for name in names:
            if limit_key(kind, name) not in site:
                yield Fault(f"limits.{kind}.{name}", _unknown(kind, name))


def _unknown(kind: LimitKind, name: str) -> str:
    return f"no {kind.replace('_', ' ')} '{name}'"


def _site_faults(spec: TaskGroupSpec, site: SiteLimits) -> Iterator[Fault]:
    for i, task in enumerate(spec.tasks):
        if task.team is not None and limit_key(LimitKind.TEAM, task.team) not in site:
            yield Fault(f"tasks[{i}].team", _unknown(LimitKind.TEAM, task.team))
        if (
            task.task_type is not None
            and limit_key(LimitKind.TASK_TYPE, task.task_type) not in site
        ):
            yield Fault(f"tasks[{i}].task_type", _unknown(LimitKind.TASK_TYPE, task.task_type))
        for n, need in enumerate(task.required_resources):
            yield from _need_faults(f"tasks[{i}].required_resources[{n}]", need, spec, site)


def _need_faults(
    place: str, need: RequirementSpec, spec: TaskGroupSpec, site: SiteLimits
) -> Iterator[Fault]:
    """A resource of capacity 0 is closed for now: tasks wait until it is opened."""
    capacity = site.get(limit_key(LimitKind.RESOURCE, need.id))
    if capacity is None:
        made = spec.resources.get(need.id)
        if made is None:
            message = f"{_unknown(LimitKind.RESOURCE, need.id)}; list it under resources to make it"
            yield Fault(f"{place}.id", message)
            return
        capacity = made.capacity
    if not need.exclusive and need.amount > capacity > 0:
        units = "1 unit" if capacity == 1 else f"{capacity} units"
        yield Fault(f"{place}.amount", f"needs {need.amount} of '{need.id}', which has {units}")


def _payload_faults(spec: TaskGroupSpec, check_payload: CheckPayload) -> Iterator[Fault]:
    needs = {task.id: task.depends_on for task in spec.tasks}
    for i, task in enumerate(spec.tasks):
        before = partial(_done_before, task.id, needs)
        for where, message in check_payload(task.runner, task.payload, before):
            within = f"payload{'' if where.startswith('[') else '.'}{where}" if where else "runner"
            yield Fault(f"tasks[{i}].{within}", message)


def _done_before(task: str, needs: Mapping[str, Sequence[str]]) -> AbstractSet[str]:
    """All that a task depends on, directly or not."""
    found: set[str] = set()
    waiting = [task]
    while waiting:
        new = set(needs.get(waiting.pop(), ())) - found
        found |= new
        waiting.extend(new)
    return found
