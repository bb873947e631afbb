"""Who did what, for those who may know."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
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


def _told(details: dict[str, Any]) -> SafeString:
    """In words; a list is what was and what is."""
    parts = [
        (name, _joined(" → ", value if isinstance(value, list) else [value]))
        for name, value in details.items()
    ]
    return _joined("; ", (format_html("{}: {}", *part) for part in parts))


def _joined(between: str, values: Iterable[Any]) -> SafeString:
    return format_html_join(between, "{}", ((_shown(value),) for value in values))


def _shown(value: Any) -> Any:
    """A moment, kept as text, in the zone its reader has chosen; all else as it is."""
    try:
        at = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return value
    if at.tzinfo is None:
        return value
    words = at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return format_html('<time datetime="{0}" title="{0}" data-moment>{1}</time>', value, words)
