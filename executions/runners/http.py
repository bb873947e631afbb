"""Requests to other services: only where they may go, and never for longer than they may take.

Every redirect is checked anew, and what was meant for one origin goes to no other.
"""

from __future__ import annotations

import http.client
import json
import math
import ssl
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, ClassVar
from urllib.parse import SplitResult, quote, urljoin

from executions.runners.base import Context, End, Outcome
from executions.runners.builtin import Fault
from executions.runners.connection import (
    Allowed,
    Deadline,
    EndedError,
    Network,
    RefusedError,
    Resolve,
    system_resolve,
)
from executions.runners.http_payload import check_payload, split
from executions.runners.redaction import Redaction

REDIRECTS = (301, 302, 303, 307, 308)
BUSY = (429, 503)
REDIRECT_LIMIT = 5
BODY_LIMIT_BYTES = 65536
ERROR_CHARACTERS = 200
READ_BYTES = 8192
RETRY_PAUSE_S = 1.0
RETRY_LEAST_S = 0.1
PORTS = {"http": 80, "https": 443}
HEADERS_KEPT = ("content-type", "content-length", "location", "etag", "last-modified")
HARMLESS = ("accept", "accept-language", "content-type", "user-agent")
"""Headers that another origin may see; any other one could carry a secret."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of whom."""

    url: SplitResult
    method: str
    headers: Mapping[str, str]
    body: bytes | None

    @property
    def origin(self) -> tuple[str, str, int]:
        """Scheme, host and port."""
        host = (self.url.hostname or "").encode("idna").decode()
        return self.url.scheme, host, self.url.port or PORTS[self.url.scheme]

    def redirected(self, answer: Answer) -> Request | None:
        """The request that an answer sends us to; None if to none. Raises RefusedError.

        Another origin sees neither the body nor headers that could carry a secret.
        """
        location = answer.headers.get("location")
        if answer.status not in REDIRECTS or not location:
            return None
        method, body, headers = self.method, self.body, dict(self.headers)
        if answer.status == 303 or (answer.status in (301, 302) and method == "POST"):  # noqa: PLR2004 (statuses)
            method, body = "HEAD" if method == "HEAD" else "GET", None
            headers = {k: v for k, v in headers.items() if k.lower() != "content-type"}
        there = Request(split(urljoin(self.url.geturl(), location)), method, headers, body)
        if there.origin == self.origin:
            return there
        if body:
            raise RefusedError(f"a redirect would take the body to {there.url.netloc}")
        seen = {k: v for k, v in headers.items() if k.lower() in HARMLESS}
        return Request(there.url, method, seen, None)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, its body cut at the limit."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    is_cut: bool

    def pause_s(self) -> float | None:
        """How long the service asks to wait before the same request again; None: not at all."""
        after = self.headers.get("retry-after")
        if self.status not in BUSY or after is None:
            return None
        try:
            pause_s = float(after)
        except ValueError:
            pause_s = self._until_s(after)
        return max(pause_s, RETRY_LEAST_S) if math.isfinite(pause_s) else RETRY_PAUSE_S

    def _until_s(self, moment: str) -> float:
        """How long until a moment, by the service's own clock if it tells it."""
        try:
            until = parsedate_to_datetime(moment)
        except ValueError:
            return math.nan
        try:
            now = parsedate_to_datetime(self.headers["date"])
        except (KeyError, ValueError):
            now = datetime.now(UTC)
        return (_aware(until) - _aware(now)).total_seconds()


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class Http:
    """Makes one request."""

    name: ClassVar[str] = "http"
    dangerous: ClassVar[bool] = False

    def __init__(
        self,
        *,
        allowed: Allowed,
        resolve: Resolve = system_resolve,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._network = Network(allowed, resolve, tls or ssl.create_default_context())

    def check(self, payload: Mapping[str, Any]) -> list[Fault]:
        """A URL, and what goes with it."""
        return check_payload(payload)

    def run(self, payload: Mapping[str, Any], context: Context) -> Outcome:
        """Ask, follow redirects, wait where the service says so, judge the status."""
        deadline = Deadline(context.timeout_s, context.stop)
        expected = payload.get("expect_status", range(200, 300))
        wanted = [expected] if isinstance(expected, int) else expected
        try:
            answer = self._asked_until_ready(_request(payload), wanted, deadline, context.redaction)
        except EndedError as ended:
            return Outcome(ended.end, "Timeout exceeded" if ended.end is End.TIMED_OUT else "")
        except RefusedError as error:
            return Outcome(End.FAILED, str(error), retryable=False)
        except (OSError, http.client.HTTPException) as error:
            return Outcome(End.FAILED, f"{type(error).__name__}: {error}")
        context.output.write(answer.body)
        return _judged(answer, wanted, context.redaction)

    def _asked_until_ready(
        self, request: Request, wanted: Any, deadline: Deadline, redaction: Redaction
    ) -> Answer:
        while True:
            answer = self._followed(request, deadline, redaction)
            pause_s = None if answer.status in wanted else answer.pause_s()
            if pause_s is None or pause_s >= deadline.left_s():  # it would only hold its slot
                return answer
            deadline.wait(pause_s)

    def _followed(self, request: Request, deadline: Deadline, redaction: Redaction) -> Answer:
        for _ in range(REDIRECT_LIMIT + 1):
            answer = self._asked(request, deadline, redaction)
            there = request.redirected(answer)
            if there is None:
                return answer
            request = there
        raise RefusedError(f"more than {REDIRECT_LIMIT} redirects")

    def _asked(self, request: Request, deadline: Deadline, redaction: Redaction) -> Answer:
        scheme, host, port = request.origin
        with closing(self._network.stream(host, port, deadline, tls=scheme == "https")) as stream:
            connection = http.client.HTTPConnection(host, port)
            connection.sock = stream
            _send(connection, request)
            response = http.client.HTTPResponse(stream, method=request.method)  # type: ignore[arg-type]
            with closing(response):
                response.begin()
                data, is_cut = _read(response, redaction)
                found = {k.lower(): v for k, v in response.getheaders()}
                return Answer(response.status, found, data, is_cut)


def _send(connection: http.client.HTTPConnection, request: Request) -> None:
    url = request.url
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    connection.putrequest(
        request.method,
        quote(target, safe="/%:;=@!$&'()*+,?~[]|"),
        skip_host=True,
        skip_accept_encoding=True,
    )
    connection.putheader("Host", url.netloc.encode("idna"))
    connection.putheader("Connection", "close")
    for name, value in request.headers.items():
        connection.putheader(name, value)
    if request.body is not None:
        connection.putheader("Content-Length", str(len(request.body)))
    connection.endheaders(request.body)


def _request(payload: Mapping[str, Any]) -> Request:
    url, method = split(payload["url"]), payload.get("method", "GET").upper()
    headers, body = dict(payload.get("headers", {})), payload.get("body")
    if body is None:
        return Request(url, method, headers, None)
    if isinstance(body, str):
        return Request(url, method, headers, body.encode())
    if "content-type" not in {k.lower() for k in headers}:
        headers["Content-Type"] = "application/json"
    return Request(url, method, headers, json.dumps(body).encode())


def _read(response: http.client.HTTPResponse, redaction: Redaction) -> tuple[bytes, bool]:
    """The body, or its first bytes with secrets masked, and whether it goes on."""
    data = bytearray()
    while len(data) <= BODY_LIMIT_BYTES + redaction.margin_bytes:
        piece = response.read(READ_BYTES)
        if not piece:
            break
        data += piece
    if len(data) <= BODY_LIMIT_BYTES:
        return bytes(data), False
    return redaction.head(bytes(data), BODY_LIMIT_BYTES), True


def _judged(answer: Answer, wanted: Any, redaction: Redaction) -> Outcome:
    text = answer.body.decode("utf-8", errors="replace")
    body: Any = text
    if "json" in answer.headers.get("content-type", "") and not answer.is_cut:
        try:
            body = json.loads(text)
        except (ValueError, RecursionError):
            body = text
    headers = {k: v for k, v in answer.headers.items() if k in HEADERS_KEPT}
    result = {"status": answer.status, "headers": headers, "body": body}
    if answer.is_cut:
        result["is_cut"] = True
    if answer.status in wanted:
        return Outcome(End.COMPLETED, result=result)
    said = redaction.text(text)[:ERROR_CHARACTERS]
    return Outcome(End.FAILED, f"status {answer.status}: {said}", result=result)
