"""Task groups: list, one group, editor, upload, plan."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from executions import selectors


@login_required
@require_safe
def group_list(request: HttpRequest) -> HttpResponse:
    """Every task group the user may see."""
    groups = selectors.groups_visible_to(request.user)
    return render(request, "group_list.html", {"groups": groups})


group_new = group_upload = group_page = group_list
