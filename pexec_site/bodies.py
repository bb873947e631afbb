"""Requests as they come: no body larger than its address takes, all of them within one room.

Daphne hands a request over when all of its body is there, and a small site must stay up whoever
sends what: so this is decided before anybody is known. What is refused is never kept.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from daphne import http_protocol

from executions.api.bodies import largest_body
from executions.specs import LARGE_SPEC_BYTES

MIB: Final = 1 << 20
TO_TELL_BYTES: Final = MIB
"""So much more than is taken may come, for the application to say what is wrong with it."""
ROOM_BYTES: Final = 2 * (LARGE_SPEC_BYTES + TO_TELL_BYTES)
"""For all bodies at once, each from its first piece until it is answered."""
FREE_BYTES: Final = 64 * 1024
"""So much of each body takes no room: people still sign in while large ones fill it."""
RECEIVE_S = 300.0
"""A body that takes room is there within this time, or makes room."""
RETRY_S: Final = 5
READ_ON_S: Final = 5.0
"""So long what still comes of a refused body is thrown away, for a client that sends first."""


@dataclass(slots=True)
class Room:
    """What is left for bodies."""

    left: int


ROOM: Final = Room(ROOM_BYTES)


class Request(http_protocol.WebRequest):  # type: ignore[misc] # Daphne has no types
    """One HTTP request; the application hears nothing of one whose body is refused."""

    def __init__(self, *args: Any, **options: Any) -> None:
        # twisted would read forms, too, which nobody asks of it: a large one took its loop seconds
        super().__init__(*args, parsePOSTFormSubmission=False, **options)
        self.is_refused = False
        self.is_whole = False
        self.address = ""
        self.held = 0
        self.deadline: asyncio.TimerHandle | None = None

    def gotLength(self, length: int | None) -> None:
        """The head is there, with the length of the body; None: that will be seen."""
        target: bytes = self.channel._path  # noqa: SLF001 (the request is told only with its end)
        self.address = target.partition(b"?")[0].decode("latin-1")
        refusal = self.refusal_of(length or 0)
        super().gotLength(0 if refusal else length)
        if refusal:
            self.requestHeaders.removeHeader(b"Expect")  # or it would be told to go on
            self.refuse(*refusal)

    def handleContentChunk(self, data: bytes) -> None:
        """A piece of the body is there."""
        if self.is_refused:
            return
        size = self.content.tell() + len(data)
        if refusal := self.refusal_of(size):
            self.refuse(*refusal)
            return
        self.hold(max(0, size - FREE_BYTES))
        super().handleContentChunk(data)

    def refusal_of(self, size: int) -> tuple[HTTPStatus, str] | None:
        """Why a body of this size is not taken; None: it is."""
        most = largest_body(self.address) + TO_TELL_BYTES
        if size > most:
            told = f"A request to this address holds at most {most // MIB} MiB."
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE, told
        if size - FREE_BYTES - self.held > ROOM.left:
            return HTTPStatus.SERVICE_UNAVAILABLE, "Other large requests come in just now."
        return None

    def hold(self, size: int) -> None:
        """Take so much of the room in all."""
        ROOM.left -= size - self.held
        self.held = size
        if self.deadline is None and size:
            loop = asyncio.get_running_loop()
            told = f"A body has to come within {RECEIVE_S:g} s."
            self.deadline = loop.call_later(
                RECEIVE_S, self.refuse, HTTPStatus.REQUEST_TIMEOUT, told
            )

    def leave(self) -> None:
        """Give back what was taken of the room."""
        ROOM.left += self.held
        self.held = 0

    def arrived(self) -> None:
        """No more of the body is waited for."""
        if self.deadline is not None:
            self.deadline.cancel()

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """All of it is there."""
        self.arrived()
        if self.is_refused:
            self.channel.loseConnection()
            return
        self.is_whole = True
        super().requestReceived(command, path, version)
        work = self.server.connections.get(self, {}).get("application_instance")
        if work is None:
            self.leave()
        else:
            work.add_done_callback(lambda _: self.leave())

    def connectionLost(self, reason: Any) -> None:
        """Nobody waits for an answer; the application may still be at work on what was whole."""
        self.arrived()
        if not self.is_whole:
            self.leave()
        super().connectionLost(reason)

    def refuse(self, status: HTTPStatus, told: str) -> None:
        """Say so at once; closing at once, too, would take the answer from who still sends."""
        self.is_refused = True
        self.arrived()
        self.leave()
        self.content.truncate(0)
        transport = self.channel.transport
        transport.write(_refusal(status, told, is_rest="/api/" in self.address))
        asyncio.get_running_loop().call_later(READ_ON_S, transport.abortConnection)


def _refusal(status: HTTPStatus, told: str, *, is_rest: bool) -> bytes:
    title = "Content Too Large" if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE else status.phrase
    problem = {"type": "about:blank", "title": title, "status": status, "detail": told}
    body = (json.dumps(problem) if is_rest else f"{title}\n\n{told}\n").encode()
    kind = "application/problem+json" if is_rest else "text/plain; charset=utf-8"
    retry = f"Retry-After: {RETRY_S}\r\n" if status == HTTPStatus.SERVICE_UNAVAILABLE else ""
    head = (
        f"HTTP/1.1 {status:d} {title}\r\nContent-Type: {kind}\r\n{retry}"
        f"X-Content-Type-Options: nosniff\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
