"""Where sockets may come from: the site's own pages, as Django has it for what they send.

Browsers send cookies along also from other sites and other ports; only the origin tells.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import SplitResult, urlsplit

from channels.security.websocket import WebsocketDenier
from django.conf import settings
from django.http.request import split_domain_port, validate_host
from django.utils.http import is_same_domain

PORTS = {"http": 80, "https": 443}


class SameOriginOnly:
    """Refuses sockets of other origins than the host they ask, and those that tell none."""

    def __init__(self, inner: Any) -> None:
        """`inner`: the application for those let in."""
        self._inner = inner

    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        """Hand on or deny."""
        headers = {name: value.decode("latin1") for name, value in scope["headers"]}
        is_own = is_own_origin(headers.get(b"origin", ""), headers.get(b"host", ""))
        return await (self._inner if is_own else WebsocketDenier())(scope, receive, send)


def is_own_origin(origin: str, host: str) -> bool:
    """Whether a page of this origin is one of the site at this host, or one that it trusts."""
    try:
        found = urlsplit(origin)
        port = found.port or PORTS.get(found.scheme)
        asked = urlsplit(f"//{host}").port or PORTS.get(found.scheme)
    except ValueError:
        return False
    name, _ = split_domain_port(host)
    if port is None or not name or not validate_host(name, settings.ALLOWED_HOSTS):
        return False
    is_asked = name == split_domain_port(found.netloc)[0] and port == asked
    return is_asked or _is_trusted(found)


def _is_trusted(origin: SplitResult) -> bool:
    """Whether `CSRF_TRUSTED_ORIGINS` names it, or all of its domain."""
    for trusted in map(urlsplit, settings.CSRF_TRUSTED_ORIGINS):
        pattern = trusted.netloc.removeprefix("*")
        if origin.scheme == trusted.scheme and is_same_domain(origin.netloc, pattern):
            return True
    return False
