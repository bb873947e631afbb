"""The site's limits, changed one by one or by a file; each change is kept and told at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from django.core.exceptions import PermissionDenied
from django.db import transaction

from executions.dispatch import bus
from executions.models import Resource, TaskType, Team
from executions.specs import LaneLimit, LimitsFile, ResourceLimit

Limit = Team | TaskType | Resource
REASON_LIMIT = 100
PARTS: Final[Mapping[str, type[Limit]]] = {
    "teams": Team,
    "task_types": TaskType,
    "resources": Resource,
}


@dataclass(frozen=True, slots=True)
class LimitChange:
    """One limit that a file would make or change: `place` in the file, both values as text."""

    kind: Literal["added", "changed"]
    place: str
    before: str
    after: str
    limit: Limit


def _field(limit: Limit | type[Limit]) -> str:
    is_resource = limit is Resource or isinstance(limit, Resource)
    return "capacity" if is_resource else "max_parallel"


def limit_change(*, limit: Limit, value: int, user: Any, reason: str = "") -> None:
    """Set a max_parallel or a capacity; it holds from the next decision."""
    with transaction.atomic():
        setattr(limit, _field(limit), value)
        _save(limit, user, reason)
        transaction.on_commit(bus.wake)


def _save(limit: Limit, user: Any, reason: str) -> None:
    setattr(limit, "_history_user", user)  # noqa: B010 (simple_history's documented way)
    setattr(limit, "_change_reason", reason[:REASON_LIMIT])  # noqa: B010 (the same)
    limit.full_clean()
    limit.save()


def limits_file(limits: Iterable[Limit]) -> LimitsFile:
    """The file that would make these limits."""
    found: dict[str, dict[str, Any]] = {part: {} for part in PARTS}
    for limit in limits:
        told = limit.description or None
        if isinstance(limit, Resource):
            made: Any = ResourceLimit(capacity=limit.capacity, description=told)
        else:
            made = LaneLimit(max_parallel=limit.max_parallel, description=told)
        found[next(part for part, model in PARTS.items() if isinstance(limit, model))][
            limit.name
        ] = made
    return LimitsFile(**found)


def limits_all() -> LimitsFile:
    """The file of every limit of the site."""
    return limits_file(limit for model in PARTS.values() for limit in model._default_manager.all())  # noqa: SLF001 (Django documents it)


def limits_changes(*, wanted: LimitsFile, user: Any) -> list[LimitChange]:
    """What a file would change. Raises PermissionDenied where the user may not."""
    found: list[LimitChange] = []
    for part, model in PARTS.items():
        entries: Mapping[str, LaneLimit | ResourceLimit] = getattr(wanted, part)
        known = {limit.name: limit for limit in model._default_manager.filter(name__in=entries)}  # noqa: SLF001 (Django documents it)
        for name, entry in entries.items():
            change = _change(f"{part}.{name}", known.get(name), model, name, entry)
            if change is not None:
                _require(user, change)
                found.append(change)
    return found


def _change(
    place: str, known: Limit | None, model: type[Limit], name: str, entry: LaneLimit | ResourceLimit
) -> LimitChange | None:
    field = _field(model)
    limit = known or model(name=name)
    before = _told(getattr(limit, field), limit.description) if known else ""
    if known and entry.maximum == getattr(known, field) and not _is_new_text(known, entry):
        return None
    setattr(limit, field, entry.maximum)
    if entry.description is not None:
        limit.description = entry.description
    after = _told(entry.maximum, limit.description)
    return LimitChange("changed" if known else "added", place, before, after, limit)


def _is_new_text(known: Limit, entry: LaneLimit | ResourceLimit) -> bool:
    return entry.description is not None and entry.description != known.description


def _told(maximum: int, description: str) -> str:
    return f"{maximum} ({description})" if description else str(maximum)


def _require(user: Any, change: LimitChange) -> None:
    verb = "add" if change.kind == "added" else "change"
    model = change.limit._meta.model_name  # noqa: SLF001 (Django documents _meta)
    if not user.has_perm(f"executions.{verb}_{model}"):
        raise PermissionDenied(f"you may not {verb} {change.place}")


def limits_import(*, wanted: LimitsFile, user: Any, reason: str = "") -> int:
    """Make and change what a file names, all or nothing; how many limits that were."""
    with transaction.atomic():
        changes = limits_changes(wanted=wanted, user=user)
        for change in changes:
            _save(change.limit, user, reason or "from a file")
        transaction.on_commit(bus.wake)
    return len(changes)
