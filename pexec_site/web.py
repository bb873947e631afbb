"""The web server: Daphne, with what ASGI asks of a WebSocket and Daphne alone does not do.

`python -m pexec_site.web` takes the options of `daphne`. Sending waits until a client reads, a
socket may close with every code a server may give, and what many are sent is made ready once.
"""

from __future__ import annotations

import asyncio
from functools import lru_cache
from typing import Any

from autobahn.websocket.protocol import PreparedMessage
from daphne.cli import CommandLineInterface
from daphne.server import Server
from daphne.ws_protocol import WebSocketFactory, WebSocketProtocol

NORMAL = 1000
READY_KEPT = 16


@lru_cache(READY_KEPT)
def ready(text: str) -> PreparedMessage:
    """A text as it goes over the wire; found again for the next one who is sent the same."""
    return PreparedMessage(text.encode(), isBinary=False, applyMask=False, doNotCompress=True)


class Socket(WebSocketProtocol):  # type: ignore[misc] # Daphne has no types
    """One WebSocket. It is the producer of its transport, which says when its buffer is full."""

    def __init__(self) -> None:
        super().__init__()
        self.has_room = asyncio.Event()
        self.has_room.set()

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
            self.transport.write(ready(content).payloadHybi)
        else:
            super().serverSend(content, binary)

    def serverClose(self, code: int | None = None) -> None:
        """Close with any code; autobahn's `sendClose` refuses 1001 to 2999, servers' ones too."""
        self.sendCloseFrame(code=NORMAL if code is None else code)


class WebServer(Server):  # type: ignore[misc] # Daphne has no types
    """Serves sockets that wait for their readers."""

    def run(self) -> None:
        """Until it is told to end."""
        WebSocketFactory.protocol = Socket
        super().run()

    async def handle_reply(self, protocol: Any, message: dict[str, Any]) -> None:
        """Sending over a socket is over when there is room for more: who does not read slows it."""
        await super().handle_reply(protocol, message)
        if message["type"] == "websocket.send" and not protocol.has_room.is_set():
            await protocol.has_room.wait()


class Command(CommandLineInterface):  # type: ignore[misc] # Daphne has no types
    """Daphne's command line for this server."""

    server_class = WebServer


if __name__ == "__main__":
    Command.entrypoint()
