"""Addresses without their last slash: pages and what is only read are sent on to the right one."""

from __future__ import annotations

from django.http import HttpRequest
from django.middleware.common import CommonMiddleware


class SlashMiddleware(CommonMiddleware):
    """Sends nobody on who brings something to REST: clients follow without it, and with GET."""

    def should_redirect_with_slash(self, request: HttpRequest) -> bool:
        """Whether the answer is the address with a slash."""
        is_told = request.path_info.startswith("/api/") and request.method not in ("GET", "HEAD")
        return not is_told and super().should_redirect_with_slash(request)
