"""Who did what, for those who may know."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from executions import selectors
from executions.pages.permissions import require
from executions.watching.deeds import target_addresses

PAGE_SIZE = 100


@login_required
@require_safe
def audit_list(request: HttpRequest) -> HttpResponse:
    """The newest deeds first, filtered."""
    require(request, "view_auditentry")
    found = Paginator(selectors.audit_entries(request.GET.dict()), PAGE_SIZE)
    page = found.get_page(request.GET.get("page"))
    addresses = target_addresses({entry.target for entry in page}, request.user)
    entries = [(entry, addresses.get(entry.target), _told(entry.details)) for entry in page]
    context = {"page": page, "entries": entries, "filters": request.GET}
    return render(request, "audit_list.html", context)


def _told(details: dict[str, Any]) -> str:
    """In words; a list is what was and what is."""
    return "; ".join(
        f"{name}: {' → '.join(map(str, value)) if isinstance(value, list) else value}"
        for name, value in details.items()
    )
