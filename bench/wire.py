"""A WebSocket client that costs little, so that a thousand of them leave the machine to the site.

A text that many are sent is unpacked once, by the first who gets it. It trusts the server: for a
test of the server's own manners use a real client.
"""

from __future__ import annotations

import asyncio
import base64
import os
import struct
import zlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
FINAL, COMPRESSED = 0x80, 0x40
MASKED = 0x80
"""Clients must say with what they mask; with nothing but zeros the bytes stay as they are."""
TWO_BYTES, EIGHT_BYTES = 126, 127
OPEN_S = 60.0
SWITCHED = b"HTTP/1.1 101 "


class RefusedError(ConnectionError):
    """The server answers, but opens no socket: look at its log."""


class Wire(asyncio.Protocol):
    """One socket: texts by `async for`, until either side closes."""

    def __init__(self, known: dict[bytes, str]) -> None:
        self.close_code: int | None = None
        self._known = known
        self._buffer = bytearray()
        self._texts: asyncio.Queue[str | None] = asyncio.Queue()
        self._opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._closed = asyncio.Event()

    async def open(self, path: str, headers: Mapping[str, str]) -> None:
        """Ask for the socket, and wait until it is open."""
        lines = {
            "Host": headers["Origin"].partition("://")[2],
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
            "Sec-WebSocket-Extensions": "permessage-deflate",
            **headers,
        }
        told = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        self._transport.write(f"GET {path} HTTP/1.1\r\n{told}\r\n".encode())
        await self._opened

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, _error: Exception | None) -> None:
        """It is gone."""
        if not self._opened.done():
            self._opened.set_exception(RefusedError())
        self._texts.put_nowait(None)
        self._closed.set()

    def data_received(self, data: bytes) -> None:
        """Take every frame that is whole."""
        self._buffer += data
        if not self._opened.done() and not self._is_answered():
            return
        at = 0
        while (end := self._frame(at)) > at:
            at = end
        del self._buffer[:at]

    def _is_answered(self) -> bool:
        head, blank, rest = self._buffer.partition(b"\r\n\r\n")
        if not blank:
            return False
        if not head.startswith(SWITCHED):
            self._opened.set_exception(RefusedError(head.decode(errors="replace")))
            self._transport.close()
            return False
        self._buffer = rest
        self._opened.set_result(None)
        return True

    def _frame(self, at: int) -> int:
        """Take the frame that begins here; where it ends, or `at` where it is not all there."""
        buffer = self._buffer
        if len(buffer) < at + 2:
            return at
        first, size, body = buffer[at], buffer[at + 1], at + 2
        if size == TWO_BYTES and len(buffer) >= body + 2:
            (size,), body = struct.unpack_from("!H", buffer, body), body + 2
        elif size == EIGHT_BYTES and len(buffer) >= body + 8:
            (size,), body = struct.unpack_from("!Q", buffer, body), body + 8
        elif size in (TWO_BYTES, EIGHT_BYTES):
            return at
        if len(buffer) < body + size:
            return at
        self._take(first, bytes(memoryview(buffer)[body : body + size]))
        return body + size

    def _take(self, first: int, payload: bytes) -> None:
        kind = first & 0x0F
        if kind == TEXT:
            self._texts.put_nowait(
                self._unpacked(payload) if first & COMPRESSED else payload.decode()
            )
        elif kind == PING:
            self._say(PONG, payload)
        elif kind == CLOSE:
            self.close_code = struct.unpack("!H", payload[:2])[0] if payload else None
            self._say(CLOSE, payload)

    def _unpacked(self, payload: bytes) -> str:
        text = self._known.get(payload)
        if text is None:
            text = self._known[payload] = zlib.decompressobj(-15).decompress(payload).decode()
        return text

    def _say(self, kind: int, payload: bytes) -> None:
        self._transport.write(bytes((FINAL | kind, MASKED | len(payload))) + bytes(4) + payload)

    async def send(self, text: str) -> None:
        """Say something short."""
        self._say(TEXT, text.encode())

    async def close(self) -> None:
        """Take leave; over when the server has let go."""
        self._say(CLOSE, struct.pack("!H", 1000))
        await self._closed.wait()

    def cut(self) -> None:
        """Be gone, without a word."""
        self._transport.abort()

    async def __aiter__(self) -> AsyncIterator[str]:
        """Texts as they come."""
        while (text := await self._texts.get()) is not None:
            yield text


@asynccontextmanager
async def wired(
    path: str,
    headers: Mapping[str, str],
    known: dict[bytes, str],
    *,
    port: int = 0,
    unix: Path | None = None,
    open_s: float = OPEN_S,
) -> AsyncIterator[Wire]:
    """A socket to a path of the site, at a port of this machine or a path of its own."""
    loop = asyncio.get_running_loop()

    def made() -> Wire:
        return Wire(known)

    async with asyncio.timeout(open_s):
        if unix is None:
            transport, live = await loop.create_connection(made, "127.0.0.1", port)
        else:
            transport, live = await loop.create_unix_connection(made, str(unix))
        try:
            await live.open(path, headers)
        except BaseException:
            transport.abort()
            raise
    try:
        yield live
    finally:
        live.cut()
