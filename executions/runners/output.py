"""What an attempt prints: its head and its tail as bytes, capped, redacted, streamed while it runs.

Bytes are kept as they come; `as_text` is the only way they become text.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from executions.runners.redaction import Masker, Redaction, seen

LIMIT_BYTES = 65536
TAP_EVERY_S = 0.1
TAP_LIMIT_BYTES = 16384
LINE_LIMIT_BYTES = 2000

Tap = Callable[[int, bytes], None]
"""Called with the offset and the bytes of a piece, from whichever thread writes."""


def as_text(data: bytes) -> str:
    """Text that is safe to show: undecodable bytes escaped, ANSI and control characters gone."""
    return seen(data).decode("utf-8", errors="backslashreplace")


class OutputBuffer:
    """An OutputSink. `head` and `tail` together are at most `limit_bytes`."""

    def __init__(
        self,
        limit_bytes: int = LIMIT_BYTES,
        tap: Tap | None = None,
        redaction: Redaction | None = None,
    ) -> None:
        self._head_limit = limit_bytes // 4
        self._tail_limit = limit_bytes - self._head_limit
        self._head = bytearray()
        self._tail = bytearray()
        self._tap = tap
        self._lock = threading.Lock()
        self._untold = bytearray()
        self._told_at = float("-inf")
        self._masker = Masker(redaction or Redaction(()))
        self.total_bytes = 0

    @property
    def head(self) -> bytes:
        """The first bytes."""
        return bytes(self._head)

    @property
    def tail(self) -> bytes:
        """The last bytes; between head and tail something is left out if there was more."""
        return bytes(self._tail[-self._tail_limit :])

    def last_line(self) -> str:
        """The last line that is not blank, "" if there is none; nothing may be written after it."""
        self.close()
        last = as_text((self.head + self.tail)[-LINE_LIMIT_BYTES:]).strip().splitlines()
        return last[-1] if last else ""

    def write(self, data: bytes) -> None:
        """Append bytes of the combined output."""
        with self._lock:
            self._append(self._masker.write(data))

    def close(self) -> None:
        """Let go of what was held back, and tell the tap the rest."""
        with self._lock:
            self._append(self._masker.close())
            self._tell()

    def _append(self, data: bytes) -> None:
        self.total_bytes += len(data)
        room = self._head_limit - len(self._head)
        if room > 0:
            self._head += data[:room]
        self._tail += data[max(room, 0) :] if room < len(data) else b""
        if len(self._tail) > 2 * self._tail_limit:
            del self._tail[: -self._tail_limit]
        if self._tap is not None:
            self._untold += data
            if len(self._untold) > 2 * TAP_LIMIT_BYTES:
                del self._untold[:-TAP_LIMIT_BYTES]
            if time.monotonic() - self._told_at >= TAP_EVERY_S:
                self._tell()

    def _tell(self) -> None:
        if self._tap is None or not self._untold:
            return
        piece = bytes(self._untold[-TAP_LIMIT_BYTES:])
        self._untold.clear()
        self._told_at = time.monotonic()
        self._tap(self.total_bytes - len(piece), piece)

    def tick(self) -> None:
        """Tell the tap what waits, if it is time; called now and then while nothing is printed."""
        with self._lock:
            if self._untold and time.monotonic() - self._told_at >= TAP_EVERY_S:
                self._tell()


def whole(head: bytes, tail: bytes, total_bytes: int) -> bytes:
    """Head and tail as one, with a mark where something is left out."""
    left_out = total_bytes - len(head) - len(tail)
    mark = f"\n… {left_out} bytes left out …\n" if left_out > 0 else ""
    return head + mark.encode() + tail
