"""Live frames over WebSockets: a snapshot on connect, then what the feed of the page tells.

Knows who may watch and how fast a client must read; what frames hold is made elsewhere.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, ClassVar

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.db import Error as DatabaseError

from executions import frames, selectors
from executions.watching import expected, rows, snapshots, stories, uses
from executions.watching.feeds import News, feeds
from executions.watching.shared import SharedReadings

RECHECK_S = 25.0
"""Who may not watch any more is closed within 30 s, the look itself included."""
RECHECK_AGAIN_S = 1.0
"""While the database is away."""
FORECAST_EVERY_S = 2.0
"""How often a page is told a new forecast, if there is one."""
KNOWN_LIMIT = 1000
"""Of so many executions a dashboard remembers whether they are shown; beyond, it begins anew."""
MESSAGE_LIMIT_BYTES = 4096
SEND_LIMIT_S = 10.0
"""How long a message may wait for a client to read what came before it."""
UNSEEN_LIMIT_BYTES = 32 * 1024 * 1024
"""What may be under way to a client that does not say `seen`; its machine does not read."""
RESYNC_EVERY_S = 0.5
CATCH_UP_EVERY_S = 5.0
"""How often a page is held against the database: the last frame of a run may get lost."""
ENDS_KEPT_S = 1.0
SEQ_KEPT_S = 1.0
"""Many pages of one execution ask the database once."""

NOT_SIGNED_IN = 4401
NOT_FOUND = 4404
TOO_SLOW = 1013
TOO_BIG = 1009
UNSUPPORTED = 1003
BROKEN = 1011


Ends = Mapping[int, float | None]

Snapshot = tuple[int, Sequence[str]]
"""Its number (0 where it has none), and the messages it travels as."""

_snapshots: SharedReadings[Snapshot] = SharedReadings()
_ends: SharedReadings[Ends] = SharedReadings(ENDS_KEPT_S)
_seqs: SharedReadings[int] = SharedReadings(SEQ_KEPT_S)


class WatchConsumer(AsyncWebsocketConsumer):  # type: ignore[misc] # Channels has no types
    """What every watched page has in common: permission, snapshot, resync, slow clients."""

    group: str
    is_joined: bool = False
    is_closed: bool = False
    recheck_s: ClassVar[float] = RECHECK_S

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._chores: dict[str, asyncio.Task[None]] = {}
        self._news: asyncio.Queue[News] = asyncio.Queue()
        self._sending = asyncio.Lock()
        self._told_seq = 0
        self._shown_at = self._resynced_at = float("-inf")
        self._unseen = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve the socket; however that ends, nothing of it stays."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self.leave()

    async def connect(self) -> None:
        """Let in who may see it; join first, then read, so that nothing falls in between."""
        await self.accept()
        if not self.scope["user"].is_authenticated:
            await self.close(NOT_SIGNED_IN)
            return
        if not await self.may_watch():
            await self.close(NOT_FOUND)
            return
        self.is_joined = True
        await feeds.join(self.group, self)
        await self.send_snapshot()
        self._chores["telling"] = asyncio.create_task(self._keep_telling())
        self._chores["checking"] = asyncio.create_task(self._keep_checking())

    async def leave(self) -> None:
        """End what goes on for this socket."""
        self.is_closed = True
        for chore in self._chores.values():
            chore.cancel()
        if self.is_joined:
            await feeds.leave(self.group, self)

    async def receive(
        self,
        text_data: str | None = None,
        bytes_data: bytes | None = None,  # noqa: ARG002 (Channels' signature)
    ) -> None:
        """Answer what a client may ask."""
        if not self.is_joined or self.is_closed:  # refused, and not gone yet
            return
        if text_data is None:
            await self.close(UNSUPPORTED)
            return
        if len(text_data) > MESSAGE_LIMIT_BYTES:
            await self.close(TOO_BIG)
            return
        try:
            message = json.loads(text_data)
        except (ValueError, RecursionError):
            message = None
        if not isinstance(message, dict):
            await self.close(UNSUPPORTED)
            return
        await self.answer(message)

    async def answer(self, message: dict[str, Any]) -> None:
        """`resync` gets a snapshot, not more often than needed; `seen` says that all was read.

        `watch_forecast` is told when what is watched will end.
        """
        if message.get("type") == "seen":
            self._unseen = 0
        elif message.get("type") == "watch_forecast":
            if "forecasting" not in self._chores:
                self._chores["forecasting"] = asyncio.create_task(self._keep_forecasting())
        elif message.get("type") == "resync":
            pause = self._resynced_at + RESYNC_EVERY_S - time.monotonic()
            if pause > 0:
                await asyncio.sleep(pause)
            self._resynced_at = time.monotonic()
            await self.send_snapshot()

    async def close(self, code: int | None = None, reason: str | None = None) -> None:
        """Turn away, and tell nothing any more of what is still under way."""
        self.is_closed = True
        await super().close(code, reason)

    def tell(self, news: News) -> None:
        """Take what the feed tells; it goes out when what came before it has."""
        if not self.is_closed:
            self._news.put_nowait(news)

    async def _keep_telling(self) -> None:
        now = asyncio.get_running_loop().time
        while not self.is_closed:
            news = await self._news.get()
            async with self._sending:
                if now() - max(news.heard_at, self._shown_at) > SEND_LIMIT_S:
                    await self.close(TOO_SLOW)
                    return
                try:
                    messages = await self.shown(news)
                except DatabaseError:
                    await self.close(BROKEN)
                    return
                self._told_seq = max(self._told_seq, news.seq)
                await self._send_in_time(messages)

    async def shown(self, news: News) -> Sequence[str]:
        """What this page is told of the news, as messages."""
        return news.messages

    async def hand_on(self, text: str) -> None:
        """Send a frame, in parts where it is long; nothing else comes between them."""
        async with self._sending:
            await self._send_in_time(frames.parts(text))

    async def _send_in_time(self, messages: Sequence[str]) -> None:
        """Send, or close a client that does not read: it is not buffered for."""
        try:
            for message in messages:
                if self.is_closed:
                    return
                self._unseen += len(message)
                if self._unseen > UNSEEN_LIMIT_BYTES:
                    await self.close(TOO_SLOW)
                    return
                async with asyncio.timeout(SEND_LIMIT_S):
                    await self.send(text_data=message)
        except TimeoutError:
            await self.close(TOO_SLOW)

    async def send_snapshot(self) -> None:
        """Tell all of it; news heard before it is read were committed, so it holds them."""
        async with self._sending:
            while not self._news.empty():
                self._news.get_nowait()
            self._told_seq, messages = await self.snapshot()
            await self._send_in_time(messages)
            self._shown_at = asyncio.get_running_loop().time()

    async def snapshot(self) -> Snapshot:
        """All of it."""
        found: Snapshot = await database_sync_to_async(self.read_snapshot)()
        return found

    async def _keep_checking(self) -> None:
        check_at = time.monotonic() + self.recheck_s
        while not self.is_closed:
            await asyncio.sleep(max(min(check_at - time.monotonic(), CATCH_UP_EVERY_S), 0.0))
            try:
                if time.monotonic() >= check_at:
                    check_at = time.monotonic() + self.recheck_s
                    await self.check()
                await self.catch_up()
            except DatabaseError:  # asked again; who is already let in sees nothing new meanwhile
                check_at = min(check_at, time.monotonic() + RECHECK_AGAIN_S)

    async def check(self) -> bool:
        """Whether they may still watch; who may not is turned away."""
        may_watch = await self.may_watch()
        if not may_watch:
            await self.close(NOT_FOUND)
        return may_watch

    async def _keep_forecasting(self) -> None:
        """Tell when what is watched will end, as often as that is reckoned anew."""
        told: Ends = {}
        while not self.is_closed:
            with suppress(DatabaseError):  # asked again; the page counts on from what it knows
                ends = await self.read_ends()
                if ends != told:
                    await self.hand_on(frames.encoded(frames.forecast(ends)))
                    told = ends
            await asyncio.sleep(FORECAST_EVERY_S)

    async def read_ends(self) -> Ends:
        """When what is shown will end."""
        raise NotImplementedError

    async def catch_up(self) -> None:
        """Tell all again where something that was committed was never told."""

    async def may_watch(self) -> bool:
        """Whether the user is still signed in and may still see this."""
        return bool(await database_sync_to_async(self.is_visible)())

    def is_visible(self) -> bool:
        """Whether the user may see this now."""
        raise NotImplementedError

    def signed_in(self) -> Any | None:
        """The user as the database has them now; None where they signed out meanwhile."""
        return selectors.session_user(self.scope["session"].session_key)

    def read_snapshot(self) -> Snapshot:
        """All of it out of the database."""
        raise NotImplementedError


class ExecutionConsumer(WatchConsumer):
    """One execution, and the output of one of its tasks where asked for."""

    output_group = ""
    _looked_seq = 0

    def is_visible(self) -> bool:
        """Whether the user may see this execution now."""
        user = self.signed_in()
        if user is None:
            return False
        public_id = self.scope["url_route"]["kwargs"]["public_id"]
        execution = selectors.execution_find(user, public_id)
        if execution is None:
            return False
        self.pk = execution.pk
        self.group = f"execution.{self.pk}"
        return True

    async def snapshot(self) -> Snapshot:
        """The same for everybody who may watch, so that many who come at once share it."""
        return await _snapshots.read(self.pk, self.read_snapshot)

    def read_snapshot(self) -> Snapshot:
        """The execution as it is."""
        frame = snapshots.execution_snapshot(self.pk)
        return frame["seq"], frames.parts(frames.encoded(frame))

    async def shown(self, news: News) -> Sequence[str]:
        """All, but what a snapshot told before."""
        return news.messages if news.seq >= self._told_seq else ()

    async def read_ends(self) -> Ends:
        """When this execution will end."""
        return await _ends.read(self.pk, lambda: expected.open_ends(self.pk))

    async def catch_up(self) -> None:
        """A frame that two looks in a row find missing is not under way any more.

        It dies with Redis, or with a dispatcher that was killed between a commit and its frame;
        where no other follows, the page would never notice.
        """
        seq = await _seqs.read(self.pk, lambda: snapshots.execution_seq(self.pk))
        if seq > self._told_seq and seq == self._looked_seq:
            await self.send_snapshot()
        self._looked_seq = seq

    async def answer(self, message: dict[str, Any]) -> None:
        """Also `watch_output`: follow what the newest attempt of a task prints."""
        if message.get("type") == "watch_output":
            await self._watch_output(str(message.get("task", "")))
        else:
            await super().answer(message)

    async def _watch_output(self, task_id: str) -> None:
        await self._leave_output()
        if not await self.check():
            return
        attempt = await database_sync_to_async(stories.open_attempt)(self.pk, task_id)
        if attempt is None:
            return
        self.output_group = f"output.{attempt.pk}"
        await self.channel_layer.group_add(self.output_group, self.channel_name)
        offset, data = await database_sync_to_async(stories.attempt_output)(attempt)
        text = data.decode(errors="replace")
        frame = frames.output(attempt=attempt.pk, offset=offset, text=text)
        text = frames.encoded({**frame, "task": task_id, "size": len(data)})
        await self.hand_on(text)

    async def frame(self, event: dict[str, Any]) -> None:
        """Hand on what the attempt printed."""
        await self.hand_on(event["text"])

    async def _leave_output(self) -> None:
        if self.output_group:
            await self.channel_layer.group_discard(self.output_group, self.channel_name)
            self.output_group = ""

    async def leave(self) -> None:
        """Leave the output too."""
        try:
            await self._leave_output()
        finally:
            await super().leave()


class DashboardConsumer(WatchConsumer):
    """All executions the user may see, and the limits."""

    group = "dashboard"

    async def check(self) -> bool:
        """Also which executions they may see: where that changed, all is told again."""
        may_watch = await super().check()
        if may_watch and await database_sync_to_async(self._has_other_sight)():
            await self.send_snapshot()
        return may_watch

    def _has_other_sight(self) -> bool:
        if len(self.known) > KNOWN_LIMIT:
            return True
        visible = selectors.executions_visible_among(self.user, self.known)
        return any(is_shown != (key in visible) for key, is_shown in self.known.items())

    def is_visible(self) -> bool:
        """Every signed-in user has a dashboard."""
        self.user = self.signed_in()
        return self.user is not None

    def read_snapshot(self) -> Snapshot:
        """The dashboard as it is for this user."""
        executions = selectors.executions_recent(self.user)
        shown = rows.dashboard_rows(executions)
        self.known = dict.fromkeys(shown, True)
        frame = frames.dashboard_snapshot(
            now=time.time(),
            executions=shown,
            limits=uses.limit_uses(),
            figures=selectors.execution_figures(self.user),
        )
        return 0, frames.parts(frames.encoded(frame))

    async def read_ends(self) -> Ends:
        """When the executions shown here will end that are open."""
        ends = await _ends.read("open", expected.open_ends)
        return {pk: moment for pk, moment in ends.items() if self.known.get(pk)}

    async def shown(self, news: News) -> Sequence[str]:
        """Without what this user may not see, and with all of what is new to this page."""
        told = {int(key): fields for key, fields in news.frame["executions"].items()}
        unknown = [key for key in told if key not in self.known]
        learned = await database_sync_to_async(self._learn)(unknown) if unknown else {}
        if not learned and all(self.known[key] for key in told):
            return news.messages
        seen = {
            str(key): {**learned.get(key, {}), **fields}
            for key, fields in told.items()
            if self.known[key]
        }
        return frames.parts(frames.encoded({**news.frame, "executions": seen}))

    def _learn(self, keys: list[int]) -> dict[int, dict[str, Any]]:
        """Whole rows of what is new to this page and visible."""
        visible = selectors.executions_visible(self.user, keys)
        learned = rows.dashboard_rows(visible)
        self.known.update({key: key in learned for key in keys})
        return learned
