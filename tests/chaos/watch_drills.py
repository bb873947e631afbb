"""Row 16: a large run and many open pages, which all come back at once; one never says it read."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import time
from typing import Any

from websockets.asyncio.client import ClientConnection, unix_connect
from websockets.exceptions import ConnectionClosed

from bench.live import Client
from bench.wire import Wire, wired
from executions import services
from executions.models import Execution
from tests.chaos.stage import Stage, drill

SOCKETS = 1000
AT_ONCE = 50
FILES = 4 * SOCKETS
TASKS = 10_000
WATCHED_S = 20.0
STALE_S = 2.0
BACK_WITHIN_S = 240.0
DEAF_WITHIN_S = 180.0
TOO_SLOW = 1013
ASK_EVERY_S = 0.6
AGAIN_S = 0.5


def large() -> dict[str, Any]:
    """More than can be done: it goes on for as long as it is watched."""
    tasks = [
        {"id": f"T{n:05}", "runner": "sleep", "payload": {"seconds": 0.3}} for n in range(TASKS)
    ]
    return {"name": "watched", "max_concurrency": 8, "planning": False, "tasks": tasks}


@drill("16")
def many_pages(stage: Stage) -> str:
    """A run of 10,000 tasks watched by many, who all come back at once; the deaf is closed."""
    _allow_files()
    execution = stage.submit(large())
    stage.running(execution)
    seen = asyncio.run(_Crowd(stage, execution).watched())
    services.execution_cancel(execution=execution, user=None)
    stage.finish(execution)
    return (
        f"{SOCKETS} pages of {TASKS} tasks: 95 % of {seen['frames']} frames within"
        f" {seen['stale_s']:.2f} s; all back {seen['back_s']:.0f} s after they were cut;"
        f" one that never says it read closed ({seen['code']}) after {seen['deaf_s']:.0f} s"
    )


def _allow_files() -> None:
    """A socket is a file; what serves them allows itself as many as it may."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert most >= FILES, f"{SOCKETS} pages need {FILES} files; here are {most} at most"
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, most))


class _Crowd:
    """Pages of one run over the socket of the site."""

    def __init__(self, stage: Stage, execution: Execution) -> None:
        self._stage = stage
        self._execution = execution
        self._texts: dict[str, str] = {}
        self._clients = [Client(self._texts) for _ in range(SOCKETS)]
        self._known: dict[bytes, str] = {}
        self._lines: dict[int, Wire] = {}

    @property
    def _path(self) -> str:
        return f"/ws/executions/{self._execution.public_id}/"

    async def watched(self) -> dict[str, Any]:
        """Open all, watch for a while, cut all, see them come back; and the deaf one."""
        pages: list[asyncio.Task[None]] = []
        try:
            for start in range(0, SOCKETS, AT_ONCE):  # the rush comes when all come back
                some = range(start, min(start + AT_ONCE, SOCKETS))
                pages += [asyncio.create_task(self._page(number)) for number in some]
                await self._all_shown([self._clients[number] for number in some])
            for client in self._clients:
                client.ages.clear()
            await asyncio.sleep(WATCHED_S)
            ages = sorted(age for client in self._clients for age in client.ages)
            stale_s = ages[int(len(ages) * 0.95)]
            assert stale_s < STALE_S, f"95 % of frames within {stale_s:.1f} s"
            begun = time.monotonic()
            for client in self._clients:
                client.snapshot = ""
            for line in self._lines.values():
                line.cut()
            await self._all_shown(self._clients)
            back_s = time.monotonic() - begun
            code, deaf_s = await self._deaf()
            return {
                "frames": len(ages), "stale_s": stale_s, "back_s": back_s,
                "code": code, "deaf_s": deaf_s,
            }  # fmt: skip
        finally:
            for page in pages:
                page.cancel()
            await asyncio.gather(*pages, return_exceptions=True)

    async def _page(self, number: int) -> None:
        """As a browser's: it comes back when it is cut, after a moment where it was not let in."""
        site, headers = self._stage.site.web_socket, self._stage.pages.headers
        while True:
            try:
                async with wired(self._path, headers, self._known, unix=site) as live:
                    self._lines[number] = live
                    await self._clients[number].listen(live)
            except (OSError, TimeoutError):
                await asyncio.sleep(AGAIN_S)

    async def _all_shown(self, clients: list[Client]) -> None:
        until = time.monotonic() + BACK_WITHIN_S
        while blank := sum(not client.snapshot for client in clients):
            assert time.monotonic() < until, f"{blank} pages show nothing"
            await asyncio.sleep(0.1)

    async def _deaf(self) -> tuple[int | None, float]:
        """Ask for all again and again and never say that it was read: (how closed, when)."""
        begun = time.monotonic()
        async with unix_connect(
            str(self._stage.site.web_socket),
            uri=f"ws://localhost{self._path}",
            additional_headers=self._stage.pages.headers,
            max_size=None,
            open_timeout=BACK_WITHIN_S,
            ping_interval=None,
        ) as live:
            asking = asyncio.create_task(self._ask(live))
            with contextlib.suppress(ConnectionClosed, TimeoutError):
                async with asyncio.timeout(DEAF_WITHIN_S):
                    async for _ in live:
                        pass
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
        assert live.close_code == TOO_SLOW, f"closed with {live.close_code}"
        return live.close_code, time.monotonic() - begun

    async def _ask(self, live: ClientConnection) -> None:
        while True:
            await live.send('{"type":"resync"}')
            await asyncio.sleep(ASK_EVERY_S)
