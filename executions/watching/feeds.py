"""What the sockets of one group are told: heard once in this process, handed to all as one text.

While handing out takes long, what is heard meanwhile goes out together, in fewer frames: so many
sockets or a busy machine make pages slower, never later and later.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from channels.layers import get_channel_layer

from executions import frames

REST: Final = 1.0
"""After handing out, a rest of so many times as long as it took: half of the time is others'."""
AT_ONCE: Final = 50
"""Sockets that are told before others have their turn."""


@dataclass(frozen=True, slots=True)
class News:
    """A frame for all who watch, and the messages it travels as; nobody changes them."""

    seq: int
    frame: frames.Frame
    messages: Sequence[str]
    heard_at: float
    """By the clock of the loop."""


class Listener(Protocol):
    """Who is told."""

    def tell(self, news: News) -> None:
        """Take it; never waits."""


class Feed:
    """One group's subscription, and who listens to it."""

    def __init__(self, group: str) -> None:
        self._group = group
        self.listeners: dict[Listener, None] = {}
        self._heard: list[str] = []
        self._has_heard = asyncio.Event()
        self._chores: list[asyncio.Task[None]] = []
        self.opening = asyncio.create_task(self._open())

    async def _open(self) -> None:
        layer = get_channel_layer()
        self._channel = await layer.new_channel()
        await layer.group_add(self._group, self._channel)
        self._chores = [asyncio.create_task(self._hear()), asyncio.create_task(self._hand_out())]

    @property
    def is_broken(self) -> bool:
        """Whether it never came to hear anything."""
        return self.opening.done() and self.opening.exception() is not None

    async def close(self) -> None:
        """Hear no more."""
        await asyncio.wait([self.opening])
        for chore in self._chores:
            chore.cancel()
        await asyncio.gather(*self._chores, return_exceptions=True)
        if not self.is_broken:
            await get_channel_layer().group_discard(self._group, self._channel)

    async def _hear(self) -> None:
        layer = get_channel_layer()
        while True:
            message = await layer.receive(self._channel)
            self._heard.append(message["text"])
            self._has_heard.set()

    async def _hand_out(self) -> None:
        now = asyncio.get_running_loop().time
        while True:
            await self._has_heard.wait()
            self._has_heard.clear()
            heard, self._heard = self._heard, []
            began = now()
            for news in _as_few(heard, began):
                await self._tell_all(news)
            await asyncio.sleep(REST * (now() - began))

    async def _tell_all(self, news: News) -> None:
        """Over when the sockets that could take it have it."""
        for number, listener in enumerate(list(self.listeners), 1):
            listener.tell(news)
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)
        for _ in range(3):  # they wake, write, and the transports send
            await asyncio.sleep(0)


def _as_few(heard: list[str], now: float) -> Iterable[News]:
    read = [(frame, text) for text in heard if (frame := _frame(text)) is not None]
    if len(read) == 1:  # as it nearly always is: the text goes on as it came
        yield _news(*read[0], now)
        return
    for frame in frames.merged(frame for frame, _ in read):
        yield _news(frame, frames.encoded(frame), now)


def _frame(text: str) -> frames.Frame | None:
    """None: of another release, maybe; a page that misses it asks for a snapshot."""
    try:
        frame: frames.Frame = json.loads(text)
        return frame if isinstance(frame["seq"], int) else None
    except (ValueError, LookupError, TypeError):
        return None


def _news(frame: frames.Frame, text: str, now: float) -> News:
    return News(seq=frame["seq"], frame=frame, messages=frames.parts(text), heard_at=now)


class Feeds:
    """The feeds that somebody in this process listens to."""

    def __init__(self) -> None:
        self._open: dict[Hashable, Feed] = {}

    async def join(self, group: str, listener: Listener) -> None:
        """Tell it from now on; over when nothing more can be missed."""
        key = (asyncio.get_running_loop(), group)
        feed = self._open.get(key)
        if feed is None or feed.is_broken:
            feed = self._open[key] = Feed(group)
        feed.listeners[listener] = None
        await asyncio.shield(feed.opening)  # one who leaves does not end it for others

    async def leave(self, group: str, listener: Listener) -> None:
        """Tell it no more; the last one to leave ends the subscription."""
        key = (asyncio.get_running_loop(), group)
        feed = self._open.get(key)
        if feed is None or listener not in feed.listeners:
            return
        del feed.listeners[listener]
        if not feed.listeners:
            del self._open[key]
            await feed.close()


feeds = Feeds()
"""Of this process."""
