"""What an http payload may hold: every fault with its place."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import SplitResult, urlsplit

from executions.runners.builtin import Fault, unknown_keys
from executions.runners.connection import RefusedError

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
OURS = (
    *("host", "content-length", "transfer-encoding", "connection", "keep-alive"),
    *("proxy-connection", "upgrade", "te", "trailer", "expect"),
)
"""Headers that say how a message is carried: the runner's own."""

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""RFC 9110, 5.6.2."""
_BROKEN = re.compile(r"[\0\r\n]")
_IN_NO_URL = re.compile(r"[\0-\x20\x7f]")


def split(url: str) -> SplitResult:
    """The parts of an http or https URL; RefusedError for any other."""
    try:
        parts = urlsplit(url)
        port_is_fine = parts.port is None or parts.port > 0
        (parts.hostname or "").encode("idna")
    except ValueError:
        raise RefusedError("not a URL") from None
    if _IN_NO_URL.search(url) or parts.scheme not in ("http", "https"):
        raise RefusedError("only http and https URLs, without blanks")
    if not parts.hostname or not port_is_fine:
        raise RefusedError("a URL needs a host, and a port, if any, from 1 to 65535")
    if "@" in parts.netloc:
        raise RefusedError("user and password belong into the header Authorization")
    return parts


def check_payload(payload: Mapping[str, Any]) -> list[Fault]:
    """Every fault of an http payload."""
    faults = unknown_keys(payload, {"method", "url", "headers", "body", "expect_status"})
    url = payload.get("url")
    if not isinstance(url, str):
        faults.append(("url", "required: an http or https URL"))
    elif "${" not in url:
        try:
            split(url)
        except RefusedError as error:
            faults.append(("url", str(error)))
    method = payload.get("method", "GET")
    if not isinstance(method, str) or method.upper() not in METHODS:
        faults.append(("method", f"one of {', '.join(METHODS)}"))
    headers = payload.get("headers", {})
    if not isinstance(headers, Mapping):
        faults.append(("headers", "must be a mapping of names to texts"))
    else:
        faults += [
            (f"headers.{name}", fault)
            for name, value in headers.items()
            if (fault := _header_fault(name, value))
        ]
    statuses = payload.get("expect_status", 200)
    listed = statuses if isinstance(statuses, list) else [statuses]
    if not listed or not all(type(s) is int and 100 <= s <= 599 for s in listed):  # noqa: PLR2004 (statuses)
        faults.append(("expect_status", "a status, or a list of statuses"))
    return faults


def _header_fault(name: str, value: Any) -> str:
    if not _TOKEN.fullmatch(name):
        return "no name of a header"
    if name.lower() in OURS:
        return "set by the runner itself"
    if not isinstance(value, str) or _BROKEN.search(value):
        return "must be text on one line"
    try:
        value.encode("latin-1")
    except UnicodeEncodeError:
        return "only Latin-1 goes into a header"
    return ""
