"""The dashboard."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from executions import selectors
from executions.watching import uses


@login_required
@require_safe
def dashboard(request: HttpRequest) -> HttpResponse:
    """What runs, what waits for what, what failed."""
    executions = selectors.executions_recent(request.user)
    use = uses.limit_uses()
    counts: dict[str, int] = {}
    for execution in executions:
        for state, number in execution.counts.items():
            counts[state] = counts.get(state, 0) + number
    context: dict[str, Any] = {
        "executions": executions,
        "has_groups": selectors.groups_visible_to(request.user).exists(),
        "running": sum(e.state in ("running", "paused", "cancelling") for e in executions),
        "waiting": sum(
            e.counts.get("queued", 0) + e.counts.get("blocked", 0) + e.counts.get("retrying", 0)
            for e in executions
            if e.completed_at is None
        ),
        "figures": selectors.execution_figures(request.user),
        "uses": use,
        "whys": sorted(
            ((key, value[2]) for key, value in use.items() if value[2]), key=lambda why: -why[1]
        ),
        "failures": selectors.task_failures_recent(request.user),
    }
    return render(request, "dashboard.html", context)
