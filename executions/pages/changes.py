"""What saving a spec would change of a task group: shown before it is saved. Pure."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from executions.specs import TaskGroupSpec, plain

TEXT_LIMIT = 200


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: what, where, and both values as text."""

    kind: Literal["added", "removed", "changed"]
    place: str
    before: str = ""
    after: str = ""


def _text(value: Any) -> str:
    text = "default" if value is None else str(value)
    return text if len(text) <= TEXT_LIMIT else f"{text[:TEXT_LIMIT]}…"


def _differences(place: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Change]:
    names = sorted((old.keys() | new.keys()) - {"tasks", "id", "resources"})
    return [
        Change("changed", f"{place}{name}", _text(old.get(name)), _text(new.get(name)))
        for name in names
        if old.get(name) != new.get(name)
    ]


def changes(
    old: TaskGroupSpec | None, new: TaskGroupSpec, resources: Container[str] = ()
) -> list[Change]:
    """Every difference: resources not among the known ones, the group's own, task by task."""
    made = [
        Change("added", f"resource {name}", after=f"capacity {resource.capacity}")
        for name, resource in new.resources.items()
        if name not in resources
    ]
    return made + _of_group(old, new)


def _of_group(old: TaskGroupSpec | None, new: TaskGroupSpec) -> list[Change]:
    if old is None:
        return [Change("added", task.id, after=task.title) for task in new.tasks]
    before, after = plain(old), plain(new)
    tasks_before = {task["id"]: task for task in before["tasks"]}
    tasks_after = {task["id"]: task for task in after["tasks"]}
    found = _differences("", before, after)
    for task_id, task in tasks_after.items():
        if task_id not in tasks_before:
            found.append(Change("added", task_id, after=_text(task.get("title", ""))))
        else:
            found += _differences(f"{task_id}: ", tasks_before[task_id], task)
    found += [Change("removed", gone) for gone in tasks_before if gone not in tasks_after]
    return found
