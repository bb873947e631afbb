"""Who keeps a limit from being deleted: what holds it or is to, and what groups ask for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container
from typing import Any, Final

from django.urls import reverse
from django.utils.html import format_html

from executions import selectors
from executions.models import Resource, Task, TaskGroup, TaskRun, TaskType, Team
from executions.scheduling.model import OPEN_EXECUTION_STATES, OPEN_TASK_STATES
from executions.watching.deeds import run_address
from executions.watching.uses import limit_holders

Limit = Team | TaskType | Resource
LANES: Final[dict[type[Limit], str]] = {Team: "team", TaskType: "task_type"}
"""Where a task names such a limit; resources are in a list of needs."""
NAMED = 20


def limit_keepers(limit: Limit, user: Any) -> list[str]:
    """A line of HTML for each holder, open execution and task group; none: it is free."""
    holders = limit_holders().get(limit.key, [])
    runs = _needing(limit)
    visible = selectors.executions_visible_among(
        user, {holder["execution"] for holder in holders} | {pk for pk, _ in runs}
    )
    told: list[str] = [
        format_html(
            "held by {} since {}",
            _link(holder["execution"], holder["task_id"], visible),
            f"{holder['since']:%Y-%m-%d %H:%M:%S} UTC",
        )
        for holder in holders
    ]
    told += [
        format_html(
            "needed by {} of {}",
            _tasks(count),
            _link(pk, "", visible, name),
        )
        for (pk, name), count in runs.items()
    ]
    told += _groups(limit, user)
    more = len(told) - NAMED
    return told[:NAMED] + ([f"and {more} more"] if more > 0 else [])


def _groups(limit: Limit, user: Any) -> list[str]:
    """The groups whose tasks ask for it."""
    asking = {LANES.get(type(limit), "required_resources__resource"): limit}
    counted = Counter(Task.objects.filter(**asking).values_list("group", flat=True))
    seen = selectors.groups_visible_to(user).filter(pk__in=counted)
    known = {group.pk: _group_link(group) for group in seen}
    return [
        format_html(
            "asked for by {} of {}",
            _tasks(count),
            known.get(pk, "a task group you may not see"),
        )
        for pk, count in counted.items()
    ]


def _group_link(group: TaskGroup) -> str:
    return format_html(
        'task group <a href="{}">{}</a>', reverse("group", args=[group.pk]), group.name
    )


def _tasks(count: int) -> str:
    return f"{count} task{'s' if count > 1 else ''}"


def _needing(limit: Limit) -> Counter[tuple[int, str]]:
    """Task runs that ask for it and have not ended, by execution: its key and name."""
    open_runs = TaskRun.objects.filter(
        state__in=sorted(OPEN_TASK_STATES), execution__state__in=sorted(OPEN_EXECUTION_STATES)
    ).order_by("execution")
    if lane := LANES.get(type(limit)):
        return Counter(
            open_runs.filter(**{lane: limit.name}).values_list("execution", "execution__name")
        )
    rows = open_runs.exclude(required_resources=[])
    return Counter(
        (pk, name)
        for pk, name, needs in rows.values_list(
            "execution", "execution__name", "required_resources"
        )
        if any(need["id"] == limit.name for need in needs)
    )


def _link(pk: int, task_id: str, visible: Container[int], name: str = "") -> str:
    if pk not in visible:
        return "a task you may not see" if task_id else "an execution you may not see"
    address = run_address(pk, task_id)
    if task_id:
        return format_html('<a href="{}">{}</a> of PEXEC-{}', address, task_id, pk)
    return format_html('<a href="{}">{} PEXEC-{}</a>', address, name, pk)
