"""The dashboard, and the parts of it that pages ask for again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from executions import selectors
from executions.scheduling.model import FINAL_EXECUTION_STATES
from executions.watching import dashboards, uses


@login_required
@require_safe
def dashboard(request: HttpRequest) -> HttpResponse:
    """What runs, what waits for what, what failed."""
    executions = selectors.executions_recent(request.user)
    ongoing = [e for e in executions if e.completed_at is None]
    shown = [e for e in executions if _is_asked_for(e, request.GET)]
    context: dict[str, Any] = {
        "executions": shown,
        "speeds": dashboards.speeds(shown),
        "filters": request.GET,
        "states": selectors.EXECUTION_STATES,
        "groups": sorted({(e.group.name, e.group_id) for e in executions if e.group}),
        "owners": sorted({e.submitted_by.get_username() for e in executions if e.submitted_by}),
        "has_any": bool(executions) or selectors.groups_visible_to(request.user).exists(),
        "running": sum(e.state in ("running", "paused", "cancelling") for e in executions),
        "waiting": sum(
            e.counts.get(state, 0) for e in ongoing for state in ("queued", "blocked", "retrying")
        ),
        "figures": selectors.execution_figures(request.user),
        "uses": uses.limit_uses(),
        "whys": dashboards.whys_now({e.pk for e in ongoing}),
        "failures": selectors.task_failures_recent(request.user),
    }
    return render(request, "dashboard.html", context)


def _is_asked_for(execution: Any, asked: Mapping[str, str]) -> bool:
    """As static/js/dashboard.js has it, for those without a script."""
    is_over = execution.state in FINAL_EXECUTION_STATES
    state, group, owner = asked.get("state"), asked.get("group"), asked.get("owner")
    by = execution.submitted_by.get_username() if execution.submitted_by else ""
    words = asked.get("q", "").strip().lower()
    return (
        not (asked.get("hide") and is_over)
        and (not state or state == execution.state or (state == "open" and not is_over))
        and (not group or group == str(execution.group_id))
        and (not owner or owner == by)
        and words in f"{execution.name} {execution.public_id}".lower()
    )


@login_required
@require_safe
def dashboard_part(request: HttpRequest, name: str) -> HttpResponse:
    """Why tasks wait, or what failed of late, as a part of the page."""
    if name == "whys":
        ongoing = {e.pk for e in selectors.executions_open(request.user)}
        return render(request, "dashboard_whys.html", {"whys": dashboards.whys_now(ongoing)})
    if name == "failures":
        failures = selectors.task_failures_recent(request.user)
        return render(request, "dashboard_failures.html", {"failures": failures})
    raise Http404
