"""The web server: Daphne, with what ASGI asks of a WebSocket and Daphne alone does not do.

`python -m pexec_site.web` takes the options of `daphne`. Sending waits until a client reads, a
socket may close with every code a server may give, and what many are sent is compressed once.
What requests bring is bounded as it comes (bodies.py).
"""

from __future__ import annotations

import asyncio
import os
import resource
import struct
import zlib
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from typing import Any

from autobahn.websocket.compress import PerMessageDeflateOffer, PerMessageDeflateOfferAccept
from daphne import http_protocol
from daphne.cli import CommandLineInterface
from daphne.server import Server
from daphne.ws_protocol import WebSocketFactory, WebSocketProtocol

from pexec_site.bodies import Request

NORMAL = 1000
READY_KEPT = 32
LEVEL = 3
"""Of compression: frames become ten times smaller, in half the time of the usual 6."""
SHORT_BYTES = 1024
"""What is shorter goes as it is."""
TEXT, COMPRESSED = 0x81, 0x40
"""The first byte of a whole frame of text, and the bit that says how (RFC 6455, RFC 7692)."""
TWO_BYTES, EIGHT_BYTES = 126, 127
SESSIONS = "20"
"""Of PostgreSQL, shared by the many threads in which requests and sockets ask."""


@lru_cache(READY_KEPT)
def ready(text: str, window_bits: int) -> bytes:
    """A text as it goes over the wire, compressed within such a window where it is not 0.

    Found again for the next one who is sent the same: so no message refers to one before.
    """
    payload, first = text.encode(), TEXT
    if window_bits and len(payload) >= SHORT_BYTES:
        deflate = zlib.compressobj(LEVEL, zlib.DEFLATED, -window_bits)
        packed = deflate.compress(payload) + deflate.flush(zlib.Z_SYNC_FLUSH)
        payload, first = packed[:-4], TEXT | COMPRESSED
    size = len(payload)
    if size < TWO_BYTES:
        return struct.pack("!BB", first, size) + payload
    if size < 1 << 16:
        return struct.pack("!BBH", first, TWO_BYTES, size) + payload
    return struct.pack("!BBQ", first, EIGHT_BYTES, size) + payload


def accepted(offers: Iterable[Any]) -> PerMessageDeflateOfferAccept | None:
    """How a client's messages and ours are compressed: each of ours by itself."""
    for offer in offers:
        if isinstance(offer, PerMessageDeflateOffer):
            return PerMessageDeflateOfferAccept(offer, no_context_takeover=True)  # type: ignore[no-untyped-call] # autobahn has few
    return None


class Socket(WebSocketProtocol):  # type: ignore[misc] # Daphne has no types
    """One WebSocket. It is the producer of its transport, which says when its buffer is full."""

    def __init__(self) -> None:
        super().__init__()
        self.has_room = asyncio.Event()
        self.has_room.set()

    def onConnect(self, request: Any) -> Any:
        """Agree on compression."""
        self.perMessageCompressionAccept = accepted
        return super().onConnect(request)

    def onOpen(self) -> None:
        """Hear of the buffer from here on; until now the HTTP channel did."""
        self.unregisterProducer()
        self.registerProducer(self, True)
        super().onOpen()

    def pauseProducing(self) -> None:
        """More is under way than the transport's buffer should hold."""
        self.has_room.clear()

    def resumeProducing(self) -> None:
        """All of it has gone out."""
        self.has_room.set()

    def stopProducing(self) -> None:
        """The connection is gone: nobody waits for room any more."""
        self.has_room.set()

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:  # noqa: FBT001, N803 (autobahn's)
        """Nobody waits for room any more."""
        self.has_room.set()
        super().onClose(wasClean, code, reason)

    def serverSend(self, content: str | bytes, binary: bool = False) -> None:  # noqa: FBT001, FBT002 (Daphne's)
        """Send; what comes after the close goes nowhere and is no error of the application."""
        if self.state == self.STATE_CONNECTING:
            self.serverAccept()
        if self.state != self.STATE_OPEN:
            return
        if isinstance(content, str) and not self.send_queue:
            deflate = self._perMessageCompress
            bits = 0 if deflate is None else deflate.server_max_window_bits
            self.transport.write(ready(content, bits))
        else:
            super().serverSend(content, binary)

    def serverClose(self, code: int | None = None) -> None:
        """Close with any code; autobahn's `sendClose` refuses 1001 to 2999, servers' ones too."""
        self.sendCloseFrame(code=NORMAL if code is None else code)


class WebServer(Server):  # type: ignore[misc] # Daphne has no types
    """Serves sockets that wait for their readers, and requests within bounds."""

    def run(self) -> None:
        """Until it is told to end."""
        http_protocol.WebRequest = Request
        WebSocketFactory.protocol = Socket
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        with suppress(ValueError, OSError):  # where the system has a lower limit of its own
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # a socket is a file
        super().run()

    async def handle_reply(self, protocol: Any, message: dict[str, Any]) -> None:
        """Sending over a socket is over when there is room for more: who does not read slows it."""
        await super().handle_reply(protocol, message)
        if message["type"] == "websocket.send" and not protocol.has_room.is_set():
            await protocol.has_room.wait()


class Command(CommandLineInterface):  # type: ignore[misc] # Daphne has no types
    """Daphne's command line for this server."""

    server_class = WebServer


if __name__ == "__main__":  # before the application reads the settings
    os.environ.setdefault("PEXEC_DATABASE_POOL", SESSIONS)
    Command.entrypoint()
