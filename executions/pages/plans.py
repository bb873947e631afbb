"""Plan of a group before it runs, what-if of a run; both by changed limits in the address."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from executions import services, specs
from executions.pages.groups import visible_group
from executions.pages.permissions import require
from executions.reporting.forecast import (
    TooLargeError,
    execution_what_if,
    group_plan,
    worker_slots,
)
from executions.scheduling.conditions import BadLimitPath, limit_at
from executions.scheduling.model import WORKERS, LimitKey, LimitKind
from executions.scheduling.planning import Plan
from executions.scheduling.simulation import SimulationStalled
from executions.scheduling.whatif import error_words
from executions.specs import TaskGroupSpec
from executions.watching import uses

ROWS_SHOWN = 150
GROUPS_SHOWN = 100
CHANGE_LIMIT = 100_000
PREFIX = "set."


def changes_asked(asked: Mapping[str, str], now: Mapping[str, int]) -> dict[LimitKey, int]:
    """Changed limits out of fields `set.team:dev_team=4`; what is as it is now is no change."""
    found: dict[LimitKey, int] = {}
    for name, value in asked.items():
        number = specs.whole_number(value)
        if number is None or not name.startswith(PREFIX):
            continue
        key = name.removeprefix(PREFIX)
        if key in now and number != now[key] and number <= CHANGE_LIMIT:
            try:
                found[limit_at(key)] = number
            except BadLimitPath:
                continue
    return found


def limits_of(spec: TaskGroupSpec) -> dict[str, int]:
    """Every limit that this group's tasks are under, as it is now."""
    used = {f"team:{t.team}" for t in spec.tasks if t.team}
    used |= {f"task_type:{t.task_type}" for t in spec.tasks if t.task_type}
    used |= {f"resource:{need.id}" for t in spec.tasks for need in t.required_resources}
    site = {key: use[1] for key, use in uses.limit_uses().items()}
    own = {
        f"{kind}:{name}": number
        for kind, by_name in spec.limits.model_dump().items()
        for name, number in by_name.items()
    }
    found = {"max_concurrency": spec.max_concurrency}
    found |= {key: min(site[key], own.get(key, site[key])) for key in sorted(used) if key in site}
    slots = worker_slots()
    return found if slots is None else {**found, "workers": slots}


def _fields(now: Mapping[str, int], changes: Mapping[LimitKey, int]) -> list[dict[str, Any]]:
    return [
        {"name": f"{PREFIX}{key}", "key": key, "now": number, "value": changes.get(key, number)}  # type: ignore[call-overload]
        for key, number in now.items()
    ]


def timeline_rows(schedule: Iterable[Mapping[str, Any]], total_s: float) -> list[dict[str, Any]]:
    """The forecast as bars: percent of the whole from the left, and wide."""
    rows = []
    for row in list(schedule)[:ROWS_SHOWN]:
        if row["started_at"] is None or row["finished_at"] is None:
            continue
        start, end = row["started_at"], row["finished_at"]
        rows.append(
            {
                "id": row["id"],
                "status": row["status"],
                "x": round(100 * start / total_s, 3) if total_s else 0,
                "width": max(0.3, round(100 * (end - start) / total_s, 3)) if total_s else 100,
                "start": start,
                "took": end - start,
            }
        )
    return rows


def _shown(plan: Plan) -> dict[str, Any]:
    told = plan.as_json()
    forecast: Any = told["forecast"]
    total_s = forecast["makespan_s"] or 0.0
    rows = sorted(
        timeline_rows(forecast["schedule"], total_s), key=lambda row: (row["start"], row["id"])
    )
    groups: Any = told["groups"]
    return {**told, "rows": rows, "makespan_s": total_s, "groups_shown": groups[:GROUPS_SHOWN]}


@login_required
@require_safe
def group_plan_page(request: HttpRequest, pk: int) -> HttpResponse:
    """The plan under today's limits, and beside it the one under those asked for."""
    group = visible_group(request, pk)
    context: dict[str, Any] = {"group": group}
    if group.tasks.exists():
        spec = services.spec_of(group)
        now = limits_of(spec)
        changes = changes_asked(request.GET.dict(), now)
        context |= {
            "fields": _fields(now, changes),
            "changes": changes,
            "left_out": left_out(changes),
        }
        try:
            context["plan"] = _shown(group_plan(spec, group=group))
            if changes:
                context["changed"] = _shown(group_plan(spec, group=group, changes=changes))
        except TooLargeError:
            context["refusal"] = "Too many tasks to plan while you wait; use `pexec plan`."
    return render(request, "group_plan.html", context)


def own_changes(spec: TaskGroupSpec, changes: Mapping[LimitKey, int]) -> dict[str, Any]:
    """What a run can be given of changed limits: fewer workers are fewer tasks at once."""
    at_once = spec.max_concurrency
    limits = spec.limits.model_dump()
    for key, number in changes.items():
        kind, _, name = key.partition(":")
        if key == "max_concurrency":
            at_once = number
        elif kind in limits:
            limits[kind][name] = number
    workers = changes.get(WORKERS)
    return {"max_concurrency": min(at_once, workers or at_once), "limits": limits}


def left_out(changes: Mapping[LimitKey, int]) -> list[str]:
    """What a run cannot be given: more than the site has, and other resources."""
    site = {key: use[1] for key, use in uses.limit_uses().items()}
    words = []
    for key, number in changes.items():
        kind, _, name = key.partition(":")
        if kind == LimitKind.RESOURCE:
            words.append(f"{name} has {site.get(key, 0)} for all runs, change it under Limits")
        elif number > site.get(key, number):
            words.append(f"{name or key} stays at the site's {site[key]}")
    return words


@login_required
@require_POST
def group_run_with(request: HttpRequest, pk: int) -> HttpResponse:
    """Run the group with changed limits of its own; the site's limits stay as they are."""
    group = visible_group(request, pk)
    require(request, "add_execution")
    spec = services.spec_of(group)
    changes = changes_asked(request.POST.dict(), limits_of(spec))
    data = specs.plain(spec) | own_changes(spec, changes)
    if left := left_out(changes):
        messages.warning(request, f"Not within one run: {'; '.join(left)}.")
    try:
        changed = specs.load_data(data, **services.spec_surroundings())
        execution = services.execution_submit(user=request.user, group=group, spec=changed)
    except specs.SpecInvalidError as error:
        messages.error(request, str(error))
        return redirect("group-plan", pk)
    return redirect("execution", execution.public_id)


def what_if_context(request: HttpRequest, execution: Any) -> dict[str, Any]:
    """The what-if panel of an execution: fields, and the answer if changes are asked for."""
    now = {
        key.rpartition("/")[2]: number
        for key, number in uses.limits_of_execution(execution.pk).items()
    }
    changes = changes_asked(request.GET.dict(), now)
    context: dict[str, Any] = {"fields": _fields(now, changes), "changes": changes}
    if not changes:
        return context
    try:
        told: Any = execution_what_if(execution, changes).as_json()
    except TooLargeError:
        return {**context, "refusal": "Too many tasks to replay while you wait; use the command."}
    except SimulationStalled:
        return {**context, "refusal": "With these limits the run would never end."}
    rows = timeline_rows(told["schedule"], told["makespan_s"])
    told |= {"rows": sorted(rows, key=lambda row: row["start"]), "off": error_words(told["error"])}
    told["loses_s"] = -told["saves_s"]
    return {**context, "what_if": told}
