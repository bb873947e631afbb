"""Limits and resources: use, holders, peaks, history, and changing them in place."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from executions import selectors, services, specs
from executions.pages.permissions import require
from executions.scheduling.model import LimitKind
from executions.watching import peaks, uses

PERMISSIONS = {
    "team": "change_team",
    "task_type": "change_tasktype",
    "resource": "change_resource",
}
VALUE_LIMIT = 1_000_000


@login_required
@require_safe
def limit_list(request: HttpRequest) -> HttpResponse:
    """Every limit with its use, who waits and who holds it."""
    rows = uses.limit_rows()
    visible = selectors.executions_visible_among(
        request.user, {holder["execution"] for row in rows for holder in row["holders"]}
    )
    by_key = peaks.limit_peaks()
    for row in rows:
        for holder in row["holders"]:
            holder["is_visible"] = holder["execution"] in visible
        row.update(by_key.get(row["key"], {}))
        row["may_change"] = _may_change(request, row["kind"])
    history = selectors.limit_history()
    may_upload = any(row["may_change"] for row in rows)
    context = {"rows": rows, "history": history, "may_upload": may_upload}
    return render(request, "limit_list.html", context)


def _may_change(request: HttpRequest, kind: str) -> bool:
    return kind in PERMISSIONS and request.user.has_perm(f"executions.{PERMISSIONS[kind]}")


@login_required
@require_POST
def limit_change(request: HttpRequest, kind: str, name: str) -> HttpResponse:
    """Set a limit; it holds from the next decision on."""
    if kind not in PERMISSIONS:
        raise Http404
    limit = selectors.limit_find(LimitKind(kind), name)
    if limit is None:
        raise Http404
    require(request, PERMISSIONS[kind])
    value = specs.whole_number(request.POST.get("value", ""))
    if value is None or value > VALUE_LIMIT:
        messages.error(request, f"{name}: a whole number from 0 to {VALUE_LIMIT} is needed.")
    else:
        reason = request.POST.get("reason", "")[:100]
        services.limit_change(limit=limit, value=value, user=request.user, reason=reason)
        messages.success(request, f"{name} is now {value}.")
    return redirect("limit-list")
