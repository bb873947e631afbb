"""Live pages that stay open through a drill, as a browser keeps them.

Each must come to show what the database holds.
"""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import Future
from pathlib import Path

from websockets.asyncio.client import unix_connect
from websockets.exceptions import WebSocketException

from bench.live import Client, signed_in, wrong
from executions.models import Execution
from tests.chaos.site import lasting

EQUAL_WITHIN_S = 15.0
AGAIN_S = 0.5
CLOSE_S = 15.0


class Pages:
    """One page for each execution that is followed, in a thread of its own."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self.headers = {"Cookie": f"sessionid={signed_in()}", "Origin": "http://localhost"}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._open: dict[int, tuple[Client, Future[None]]] = {}
        self.equal_s = 0.0
        """How long after the end of all runs the last page showed it."""

    def follow(self, execution: Execution) -> None:
        """Open its page."""
        client = Client({})
        path = f"/ws/executions/{execution.public_id}/"
        self._open[execution.pk] = (client, asyncio.run_coroutine_threadsafe(
            self._watch(client, path), self._loop
        ))  # fmt: skip

    async def _watch(self, client: Client, path: str) -> None:
        while not client.is_over:
            try:
                async with unix_connect(
                    str(self._socket),
                    uri=f"ws://localhost{path}",
                    additional_headers=self.headers,
                    max_size=None,
                ) as live:
                    await client.listen(live)
            except (OSError, WebSocketException, TimeoutError):
                pass  # as a page does: it comes back
            await asyncio.sleep(AGAIN_S)

    def faults(self) -> list[str]:
        """Every page that does not show, in time, what the database holds; closes them all."""
        begun = time.monotonic()
        left = lasting(self._unequal, EQUAL_WITHIN_S)
        faults = [
            f"the page of PEXEC-{pk} does not show what the database holds: {self._shown(pk)}"
            for pk in left
        ]
        self.equal_s = max(self.equal_s, time.monotonic() - begun)
        self._forget()
        return faults

    def _unequal(self) -> list[int]:
        return [pk for pk in self._open if self._shown(pk)]

    def _shown(self, pk: int) -> str:
        """What is otherwise than in the database; empty: nothing."""
        client, task = self._open[pk]
        if not client.is_over:
            return f"no end after frame {client.seq}; {task}"
        return "; ".join(text for found in wrong(pk, [client]) for text in found)

    def _forget(self) -> None:
        for _, task in self._open.values():
            task.cancel()
        self._open.clear()

    def close(self) -> None:
        """Leave nothing behind."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(CLOSE_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CLOSE_S)
        self._loop.close()

    async def _end(self) -> None:
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
