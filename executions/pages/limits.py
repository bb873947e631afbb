"""Limits and resources: use, holders, and changing them in place."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from executions import selectors
from executions.watching import uses


@login_required
@require_safe
def limit_list(request: HttpRequest) -> HttpResponse:
    """Every limit with its use, who waits and who holds it."""
    rows = uses.limit_rows()
    visible = selectors.executions_visible_among(
        request.user, {holder["execution"] for row in rows for holder in row["holders"]}
    )
    for row in rows:
        for holder in row["holders"]:
            holder["is_visible"] = holder["execution"] in visible
    return render(request, "limit_list.html", {"rows": rows})
