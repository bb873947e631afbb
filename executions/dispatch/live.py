"""Frames for live pages: what commits changed, coalesced to ten a second for each execution.

Frames follow commits and are lost without harm: a page that misses one asks for a snapshot.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Mapping
from typing import Any

import structlog
from channels.layers import get_channel_layer

from executions import frames
from executions.dispatch.store import Changes, OpenExecution

log = structlog.get_logger(__name__)

FRAME_EVERY_S = 0.1
DASHBOARD_EVERY_S = 0.5
SEND_LIMIT_S = 5.0
BACKLOG_LIMIT = 1000


class FanOut:
    """Sends texts to Channels groups from a thread of its own; drops what cannot be sent."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="fan-out", daemon=True)
        self._backlog = 0
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def send(self, group: str, text: str) -> None:
        """Send one frame; never blocks, never raises."""
        if self._backlog < BACKLOG_LIMIT:
            self._backlog += 1
            asyncio.run_coroutine_threadsafe(self._send(group, text), self._loop)

    async def _send(self, group: str, text: str) -> None:
        try:
            async with asyncio.timeout(SEND_LIMIT_S):
                await get_channel_layer().group_send(group, {"type": "frame", "text": text})
        except Exception as error:  # noqa: BLE001 (live frames are hints; the next one heals)
            log.debug("frame not sent", group=group, error=str(error))
        finally:
            self._backlog -= 1

    def close(self) -> None:
        """End the thread; the layer closes its connections with the loop. Twice does no harm."""
        if self._loop.is_closed():
            return
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(SEND_LIMIT_S)
        self._loop.close()


class LiveFeed:
    """Gathers changes and sends them when they are due."""

    def __init__(self, send: Callable[[str, str], None]) -> None:
        self._send = send
        self._pending: dict[str, tuple[OpenExecution, Changes]] = {}
        self._dashboard: dict[int, dict[str, Any]] = {}
        self._due_at = float("-inf")
        self._dashboard_due_at = float("-inf")
        self._dashboard_seq = 0
        self._last_limits: dict[str, list[int]] = {}

    def add(self, execution: OpenExecution, changes: Changes) -> None:
        """Remember what a commit changed."""
        known = self._pending.setdefault(execution.public_id, (execution, Changes()))[1]
        known.execution.update(changes.execution)
        for position, row in changes.tasks.items():
            known.tasks.setdefault(position, {}).update(row)
        known.demands.update(changes.demands)
        shown = {k: v for k, v in changes.execution.items() if k != "stopping_to"}
        if shown:
            self._dashboard.setdefault(
                execution.pk,
                {"id": execution.public_id, "name": execution.name, "total": execution.total},
            ).update(shown)

    def due_at(self) -> float:
        """When to call `flush` next; infinity if nothing waits."""
        if not self._pending and not self._dashboard:
            return float("inf")
        return self._due_at if self._pending else self._dashboard_due_at

    def flush(self, now: float, limits: Callable[[], Mapping[str, list[int]]]) -> None:
        """Send what is due. Each frame sent moves its execution to the next frame number."""
        if self._pending and now >= self._due_at:
            for execution, changes in self._pending.values():
                frame = frames.delta(
                    seq=execution.seq,
                    now=now,
                    execution=changes.execution,
                    tasks=changes.tasks,
                    demands=changes.demands,
                )
                execution.seq += 1
                self._send(f"execution.{execution.pk}", json.dumps(frame))
            self._pending.clear()
            self._due_at = now + FRAME_EVERY_S
        if self._dashboard and now >= self._dashboard_due_at:
            self._dashboard_seq += 1
            usage = {k: v for k, v in limits().items() if self._last_limits.get(k) != v}
            self._last_limits.update(usage)
            frame = frames.dashboard_delta(
                seq=self._dashboard_seq, now=now, executions=self._dashboard, limits=usage
            )
            self._send("dashboard", json.dumps(frame))
            self._dashboard = {}
            self._dashboard_due_at = now + DASHBOARD_EVERY_S
