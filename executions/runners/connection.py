"""Streams to other services: where they may lead, and all of their waits within one deadline.

A host is resolved once and every address checked; the stream goes to an address that was checked,
with the host's own name for its certificate. Knows nothing of HTTP.
"""

from __future__ import annotations

import errno
import io
import ipaddress
import os
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, wait
from dataclasses import dataclass
from typing import Any, TypeVar

from executions.runners.base import End

STEP_S = 0.2
"""A stop is seen within this."""
CONNECT_S = 10.0
"""How long one address may take before the next is tried."""
GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
"""Others lead nowhere, to IPv4 addresses by way of a translator, or to old site-local ones."""
CARRIER_GRADE_NAT = ipaddress.ip_network("100.64.0.0/10")
EVERYTHING = ("*", "true", "yes", "on", "1")
NOTHING = ("", "false", "no", "off", "0")

T = TypeVar("T")
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

    def left_s(self) -> float:
        """How long until the time limit."""
        return self._at - time.monotonic()

    def step_s(self) -> float:
        """How long to wait at most before looking again."""
        return max(min(STEP_S, self.left_s()), 0.001)

    def wait(self, seconds: float) -> None:
        """Wait so long, or raise."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.check()
            self._stop.wait(min(self.step_s(), left))
        self.check()

    def wait_for(self, work: Callable[[], T]) -> T:
        """What work gives that nobody can stop: it is left to itself when time is over."""
        future: Future[T] = Future()

        def run() -> None:
            try:
                future.set_result(work())
            except Exception as error:  # noqa: BLE001 (raised again where it is waited for)
                future.set_exception(error)

        threading.Thread(target=run, name="resolver", daemon=True).start()
        while not wait([future], self.step_s()).done:
            self.check()
        return future.result()

    def repeat(self, act: Callable[[], T], stream: socket.socket, event: int) -> T:
        """Try until a stream that does not block lets it be done; `event` as poll knows it."""
        poller = select.poll()
        while True:
            self.check()
            try:
                return act()
            except ssl.SSLWantReadError:
                wanted = select.POLLIN
            except ssl.SSLWantWriteError:
                wanted = select.POLLOUT
            except BlockingIOError:
                wanted = event
            poller.register(stream, wanted)
            poller.poll(self.step_s() * 1000)


def is_public(address: Address) -> bool:
    """Whether an address is one of the open Internet."""
    mapped = getattr(address, "ipv4_mapped", None) or getattr(address, "sixtofour", None)
    if mapped is not None:
        return is_public(mapped)
    if address.version == 4 and address in CARRIER_GRADE_NAT:  # noqa: PLR2004 (the protocol's number)
        return False
    if address.version == 6 and address not in GLOBAL_UNICAST:  # noqa: PLR2004 (the same)
        return False
    return address.is_global and not address.is_multicast


@dataclass(frozen=True, slots=True)
class Allowed:
    """What may be reached beside public addresses."""

    names: frozenset[str] = frozenset()
    networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()

    @classmethod
    def listed(cls, entries: Iterable[str]) -> Allowed:
        """Out of host names and networks, or one switch for all or nothing; raises ValueError."""
        names, networks = set(), []
        for entry in map(str.lower, map(str.strip, entries)):
            if entry in EVERYTHING:
                networks += [
                    ipaddress.ip_network(everywhere) for everywhere in ("::/0", "0.0.0.0/0")
                ]
            elif "/" in entry or ":" in entry or entry.replace(".", "").isdigit():
                networks.append(ipaddress.ip_network(entry, strict=False))
            elif entry not in NOTHING:
                names.add(entry)
        return cls(frozenset(names), tuple(networks))

    def has(self, host: str, address: Address) -> bool:
        """Whether a host at an address may be reached."""
        if is_public(address) or host.lower() in self.names:
            return True
        return any(address in network for network in self.networks)


def system_resolve(host: str, port: int) -> list[str]:
    """What the system's resolver says."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[4][0]) for address in found))


class Network:
    """Opens streams to where they may lead."""

    def __init__(self, allowed: Allowed, resolve: Resolve, tls: ssl.SSLContext) -> None:
        self._allowed = allowed
        self._resolve = resolve
        self._tls = tls

    def stream(self, host: str, port: int, deadline: Deadline, *, tls: bool) -> Stream:
        """An open stream; raises RefusedError, EndedError or OSError."""
        error: OSError | None = None
        for address in self._addresses(host, port, deadline):
            try:
                raw = connect(address, port, deadline)
            except OSError as refused:
                error = refused
                continue
            return Stream(self._secured(raw, host, deadline) if tls else raw, deadline)
        raise error or OSError(f"{host} has no address")

    def _addresses(self, host: str, port: int, deadline: Deadline) -> list[str]:
        """The host's addresses, all of which may be reached, or RefusedError."""
        found = deadline.wait_for(lambda: self._resolve(host, port))
        for text in found:
            address = ipaddress.ip_address(text.partition("%")[0])
            if not self._allowed.has(host, address):
                raise RefusedError(f"{host} is at {address}, which is not a public address")
        return found

    def _secured(self, raw: socket.socket, host: str, deadline: Deadline) -> socket.socket:
        try:
            name = host.encode("idna").decode()  # wrap_socket loses the socket where this fails
            secured = self._tls.wrap_socket(
                raw, server_hostname=name, do_handshake_on_connect=False
            )
        except BaseException:
            raw.close()
            raise
        try:
            deadline.repeat(secured.do_handshake, secured, select.POLLIN)
        except BaseException:
            secured.close()
            raise
        return secured


def connect(address: str, port: int, deadline: Deadline) -> socket.socket:
    """A connected socket that does not block."""
    raw = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    give_up_at = time.monotonic() + CONNECT_S

    def connected() -> None:
        number = raw.connect_ex((address, port))
        if number in (errno.EINPROGRESS, errno.EALREADY):
            if time.monotonic() > give_up_at:
                raise TimeoutError(errno.ETIMEDOUT, f"no answer from {address}")
            raise BlockingIOError
        if number not in (0, errno.EISCONN):
            raise OSError(number, f"{os.strerror(number)} ({address})")

    try:
        raw.setblocking(False)
        deadline.repeat(connected, raw, select.POLLOUT)
    except BaseException:
        raw.close()
        raise
    return raw


class Stream(io.RawIOBase):
    """A connection whose every wait ends at the deadline; what http.client takes for a socket."""

    def __init__(self, connected: socket.socket, deadline: Deadline) -> None:
        self._socket = connected
        self._deadline = deadline

    def sendall(self, data: Any) -> None:
        """Send it all; raises EndedError."""
        left = memoryview(data).cast("B")
        while left:
            sent = self._deadline.repeat(
                lambda piece=left: self._socket.send(piece),  # type: ignore[misc]
                self._socket,
                select.POLLOUT,
            )
            left = left[sent:]

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """As io wants it; raises EndedError."""
        return self._deadline.repeat(
            lambda: self._socket.recv_into(buffer), self._socket, select.POLLIN
        )

    def makefile(self, _mode: str) -> io.BufferedReader:
        """What an answer is read from."""
        return io.BufferedReader(self)

    def close(self) -> None:
        """End the connection."""
        self._socket.close()
        super().close()
