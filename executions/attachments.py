"""Files for people to keep: never shown as a page, whatever they hold."""

from __future__ import annotations

from django.http import HttpResponse


def attachment(content: str | bytes, name: str, media_type: str) -> HttpResponse:
    """The content as a file of that name."""
    response = HttpResponse(content, content_type=f"{media_type}; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["X-Content-Type-Options"] = "nosniff"
    return response
