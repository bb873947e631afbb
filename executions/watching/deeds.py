"""Where the things are that the audit names, as far as they exist and the user may see them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import quote

from django.urls import reverse

from executions import selectors
from executions.models import Resource, TaskGroup, TaskType, Team
from executions.models.runs import EXECUTION_ID_PREFIX

_RUN = re.compile(r"PEXEC-(\d{1,18})(?:/(.+))?", re.DOTALL)
_LIMITS: Final[Mapping[str, type[Team | TaskType | Resource]]] = {
    str(model._meta.verbose_name): model  # noqa: SLF001 (Django documents _meta)
    for model in (Team, TaskType, Resource)
}
_GROUP = f"{TaskGroup._meta.verbose_name} "  # noqa: SLF001 (Django documents _meta)


def target_addresses(targets: Iterable[str], user: Any) -> dict[str, str]:
    """The address of each target that has one."""
    told = set(targets)
    return _runs(told, user) | _limits(told) | _groups(told, user)


def run_address(pk: int, task_id: str = "") -> str:
    """Of an execution's page, with a task of it open where one is named."""
    address = reverse("execution", args=[f"{EXECUTION_ID_PREFIX}{pk}"])
    return f"{address}?task={quote(task_id)}" if task_id else address


def _runs(targets: set[str], user: Any) -> dict[str, str]:
    found = {target: match for target in targets if (match := _RUN.fullmatch(target))}
    keys = {int(match[1]) for match in found.values()}
    visible = selectors.executions_visible_among(user, keys)
    return {
        target: run_address(int(match[1]), match[2] or "")
        for target, match in found.items()
        if int(match[1]) in visible
    }


def _limits(targets: set[str]) -> dict[str, str]:
    found = {}
    for kind, model in _LIMITS.items():
        names = {t.removeprefix(f"{kind} ") for t in targets if t.startswith(f"{kind} ")}
        for limit in model._default_manager.filter(name__in=names) if names else ():  # noqa: SLF001 (Django documents it)
            found[f"{kind} {limit.name}"] = f"{reverse('limit-list')}#{limit.key}"
    return found


def _groups(targets: set[str], user: Any) -> dict[str, str]:
    names = {t.removeprefix(_GROUP) for t in targets if t.startswith(_GROUP)}
    visible = selectors.groups_visible_to(user).filter(name__in=names) if names else ()
    return {f"{_GROUP}{group.name}": reverse("group", args=[group.pk]) for group in visible}
