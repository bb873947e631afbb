"""One reading for many who ask at once: each waits for one that began after it had asked.

Whoever need not have the newest is given one that is a moment old.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from channels.db import database_sync_to_async

Read = TypeVar("Read")


class SharedReadings(Generic[Read]):
    """Of each key one reading runs at a time, and one waits: everybody who comes meanwhile.

    What was read is kept for `kept_s`: without, nothing is told that is older than the question.
    """

    def __init__(self, kept_s: float = 0.0) -> None:
        self._kept_s = kept_s
        self._kept: dict[Hashable, Read] = {}
        self._running: dict[Hashable, asyncio.Task[Read]] = {}
        self._waiting: dict[Hashable, asyncio.Task[Read]] = {}

    async def read(self, key: Hashable, make: Callable[[], Read]) -> Read:
        """What `make` finds; it is called in a thread, where it may ask the database."""
        key = (asyncio.get_running_loop(), key)
        if key in self._kept:
            return self._kept[key]
        if key not in self._waiting:
            before = self._running.get(key)
            self._waiting[key] = asyncio.create_task(self._after(before, key, make))
        return await asyncio.shield(self._waiting[key])  # one who leaves does not end it for others

    async def _after(
        self, before: asyncio.Task[Read] | None, key: Hashable, make: Callable[[], Read]
    ) -> Read:
        if before is not None:
            await asyncio.wait([before])
        task = self._running[key] = self._waiting.pop(key)
        try:
            read: Read = await database_sync_to_async(make)()
            if self._kept_s:
                self._kept[key] = read
                asyncio.get_running_loop().call_later(self._kept_s, self._kept.pop, key, None)
            return read
        finally:
            if self._running.get(key) is task:
                del self._running[key]


class KeptReadings(Generic[Read]):
    """For threads: of each key one reading a while, however many ask."""

    def __init__(self, kept_s: float) -> None:
        self._kept_s = kept_s
        self._kept: dict[Hashable, tuple[float, Read]] = {}
        self._lock = threading.Lock()

    def read(self, key: Hashable, make: Callable[[], Read]) -> Read:
        """What `make` found, at most so long ago; who asks while it looks waits for that."""
        with self._lock:
            until, read = self._kept.get(key, (float("-inf"), None))
            if read is None or time.monotonic() >= until:
                read = make()
                self._kept[key] = (time.monotonic() + self._kept_s, read)
            return read

    def forget(self) -> None:
        """Look anew at the next question."""
        self._kept.clear()
