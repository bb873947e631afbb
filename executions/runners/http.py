"""Requests to other services: only where they may go, and never for longer than they may take.

The host is resolved once and every address is checked; the connection goes to the address that was
checked, with the host's own name for certificate and Host header. Redirects are checked anew.
"""

from __future__ import annotations

import http.client
import io
import ipaddress
import json
import math
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import SplitResult, urljoin, urlsplit

from executions.runners.base import Context, End, Outcome
from executions.runners.builtin import Fault, unknown_keys

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
REDIRECTS = (301, 302, 303, 307, 308)
BUSY = (429, 503)
REDIRECT_LIMIT = 5
BODY_LIMIT_BYTES = 65536
READ_BYTES = 8192
STEP_S = 0.2
RETRY_PAUSE_S = 1.0
HEADERS_KEPT = ("content-type", "content-length", "location", "etag", "last-modified")
SENSITIVE = ("authorization", "cookie", "proxy-authorization")
NEVER_PUBLIC = tuple(map(ipaddress.ip_network, ("64:ff9b::/96", "::/96", "fec0::/10")))
"""They lead to IPv4 addresses by way of a translator, or are old site-local ones."""
CARRIER_GRADE_NAT = ipaddress.ip_network("100.64.0.0/10")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], list[str]]
"""Host and port to its addresses; raises OSError."""


class RefusedError(Exception):
    """The request must not be made; the text says why. Trying again cannot help."""


class EndedError(Exception):
    """Stopped, or out of time."""

    def __init__(self, end: End) -> None:
        super().__init__(end)
        self.end = end


def system_resolve(host: str, port: int) -> list[str]:
    """What the system's resolver says."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[4][0]) for address in found))


def is_public(address: Address) -> bool:
    """Whether an address is one of the open Internet."""
    mapped = getattr(address, "ipv4_mapped", None) or getattr(address, "sixtofour", None)
    if mapped is not None:
        return is_public(mapped)
    if address.version == 4 and address in CARRIER_GRADE_NAT:  # noqa: PLR2004 (the protocol's number)
        return False
    if any(address in network for network in NEVER_PUBLIC):
        return False
    return address.is_global and not address.is_multicast


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, its body cut at the limit."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    is_cut: bool


class Deadline:
    """When to stop, whichever comes first."""

    def __init__(self, timeout_s: float, stop: threading.Event) -> None:
        self._at = time.monotonic() + timeout_s
        self._stop = stop

    def check(self) -> None:
        """Raise EndedError where it is over."""
        if self._stop.is_set():
            raise EndedError(End.CANCELLED)
        if time.monotonic() >= self._at:
            raise EndedError(End.TIMED_OUT)

    def step_s(self) -> float:
        """How long to wait at most before looking again."""
        return max(min(STEP_S, self._at - time.monotonic()), 0.001)

    def wait(self, seconds: float) -> None:
        """Wait so long, or raise."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.check()
            self._stop.wait(min(self.step_s(), left))
        self.check()


class Http:
    """Makes one request."""

    name: ClassVar[str] = "http"
    dangerous: ClassVar[bool] = False

    def __init__(self, *, allow_private: bool, resolve: Resolve = system_resolve) -> None:
        self._allow_private = allow_private
        self._resolve = resolve
        self._tls = ssl.create_default_context()

    def check(self, payload: Mapping[str, Any]) -> list[Fault]:
        """A URL, and what goes with it."""
        return check_payload(payload)

    def run(self, payload: Mapping[str, Any], context: Context) -> Outcome:
        """Ask, follow redirects, wait where the service says so, judge the status."""
        deadline = Deadline(context.timeout_s, context.stop)
        try:
            while True:
                answer = self._follow(payload, deadline)
                pause_s = _pause_s(answer)
                if pause_s is None:
                    break
                deadline.wait(pause_s)
        except EndedError as ended:
            return Outcome(ended.end, "Timeout exceeded" if ended.end is End.TIMED_OUT else "")
        except RefusedError as error:
            return Outcome(End.FAILED, str(error), retryable=False)
        except (OSError, http.client.HTTPException) as error:
            return Outcome(End.FAILED, f"{type(error).__name__}: {error}")
        context.output.write(answer.body)
        return _judged(answer, payload.get("expect_status", range(200, 300)))

    def _follow(self, payload: Mapping[str, Any], deadline: Deadline) -> Answer:
        url, method = payload["url"], payload.get("method", "GET").upper()
        body, headers = _body(payload)
        for _ in range(REDIRECT_LIMIT + 1):
            parts = split(url)
            answer = self._ask(parts, method, body, headers, deadline)
            location = answer.headers.get("location")
            if answer.status not in REDIRECTS or not location:
                return answer
            there = urljoin(url, location)
            if (
                urlsplit(there).netloc != parts.netloc
            ):  # what was meant for one host goes to no other
                headers = {k: v for k, v in headers.items() if k.lower() not in SENSITIVE}
            url = there
            if answer.status == 303 or (answer.status in (301, 302) and method == "POST"):  # noqa: PLR2004 (statuses)
                method, body = "GET", None
        raise RefusedError(f"more than {REDIRECT_LIMIT} redirects")

    def _ask(
        self,
        parts: SplitResult,
        method: str,
        body: bytes | None,
        headers: Mapping[str, str],
        deadline: Deadline,
    ) -> Answer:
        with self._connected(parts, deadline) as stream:
            connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
            connection.sock = stream
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
            connection.putheader("Host", parts.netloc.rpartition("@")[2])
            connection.putheader("Connection", "close")
            for name, value in headers.items():
                connection.putheader(name, value)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            response = http.client.HTTPResponse(Patient(stream, deadline), method=method)  # type: ignore[arg-type]
            response.begin()
            data, is_cut = _read(response)
            found = {k.lower(): v for k, v in response.getheaders()}
            return Answer(response.status, found, data, is_cut)

    def _connected(self, parts: SplitResult, deadline: Deadline) -> socket.socket:
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        error: OSError | None = None
        for address in self._addresses(host, port):
            deadline.check()
            try:
                stream = socket.create_connection((address, port), timeout=deadline.step_s() * 25)
            except OSError as refused:
                error = refused
                continue
            if parts.scheme == "https":
                return self._tls.wrap_socket(stream, server_hostname=host)
            return stream
        raise error or OSError(f"{host} has no address")

    def _addresses(self, host: str, port: int) -> list[str]:
        """The host's addresses, all of which may be reached, or RefusedError."""
        found = self._resolve(host, port)
        for text in found:
            address = ipaddress.ip_address(text.partition("%")[0])
            if not self._allow_private and not is_public(address):
                raise RefusedError(f"{host} is at {address}, which is not a public address")
        return found


class Steps(io.RawIOBase):
    """Reads a socket in short waits, so that a stop is seen soon."""

    def __init__(self, stream: socket.socket, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """As io wants it; raises EndedError."""
        while True:
            self._deadline.check()
            self._stream.settimeout(self._deadline.step_s())
            try:
                return self._stream.recv_into(buffer)
            except TimeoutError:
                continue


class Patient:
    """What http.client takes for a socket."""

    def __init__(self, stream: socket.socket, deadline: Deadline) -> None:
        self._steps = Steps(stream, deadline)

    def makefile(self, _mode: str) -> io.BufferedReader:
        """What it reads from."""
        return io.BufferedReader(self._steps)


def split(url: str) -> SplitResult:
    """The parts of an http or https URL; RefusedError for any other."""
    try:
        parts = urlsplit(url)
        port_is_fine = parts.port is None or parts.port > 0
    except ValueError:
        raise RefusedError(f"not a URL: {url}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_is_fine:
        raise RefusedError(f"only http and https: {url}")
    return parts


def _body(payload: Mapping[str, Any]) -> tuple[bytes | None, dict[str, str]]:
    headers = {str(k): str(v) for k, v in payload.get("headers", {}).items()}
    body = payload.get("body")
    if body is None:
        return None, headers
    if isinstance(body, str):
        return body.encode(), headers
    if "content-type" not in {k.lower() for k in headers}:
        headers["Content-Type"] = "application/json"
    return json.dumps(body).encode(), headers


def _read(response: http.client.HTTPResponse) -> tuple[bytes, bool]:
    data = bytearray()
    while len(data) <= BODY_LIMIT_BYTES:
        piece = response.read(READ_BYTES)
        if not piece:
            return bytes(data), False
        data += piece
    return bytes(data[:BODY_LIMIT_BYTES]), True


def _pause_s(answer: Answer) -> float | None:
    """How long the service asks to wait before the same request again; None: not at all."""
    after = answer.headers.get("retry-after")
    if answer.status not in BUSY or after is None:
        return None
    try:
        pause_s = float(after)
    except ValueError:
        return RETRY_PAUSE_S
    return max(pause_s, RETRY_PAUSE_S / 10) if math.isfinite(pause_s) else RETRY_PAUSE_S


def _judged(answer: Answer, expected: Any) -> Outcome:
    wanted = [expected] if isinstance(expected, int) else expected
    text = answer.body.decode("utf-8", errors="replace")
    body: Any = text
    if "json" in answer.headers.get("content-type", "") and not answer.is_cut:
        try:
            body = json.loads(text)
        except ValueError:
            body = text
    headers = {k: v for k, v in answer.headers.items() if k in HEADERS_KEPT}
    result = {"status": answer.status, "headers": headers, "body": body}
    if answer.status in wanted:
        return Outcome(End.COMPLETED, result=result)
    return Outcome(End.FAILED, f"status {answer.status}: {text[:200]}", result=result)


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
            (f"headers.{name}", "must be text on one line")
            for name, value in headers.items()
            if not isinstance(value, str) or any(c in name + value for c in "\r\n\0")
        ]
    statuses = payload.get("expect_status", 200)
    listed = statuses if isinstance(statuses, list) else [statuses]
    if not listed or not all(type(s) is int and 100 <= s <= 599 for s in listed):  # noqa: PLR2004 (statuses)
        faults.append(("expect_status", "a status, or a list of statuses"))
    return faults
