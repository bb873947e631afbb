"""How old is what watchers see: live pages on a 10,000-task run at full speed; and the page.

Each client keeps every frame as it came; after the run each picture is put together as the page's
store does it and compared with what the database holds.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import tempfile
import time
from functools import lru_cache
from statistics import median
from typing import TYPE_CHECKING, Any

from bench.tables import Missing, Row, Subject
from bench.throughput import prepare, site, spec
from bench.wire import Wire, wired

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

CLIENTS = 100
MANY = 1000
AT_ONCE = 50
TASKS = 10_000
LOADS = 5
SEEN_EVERY_CHARS = 1_000_000
SAME_S = 0.002
COMPARED = ("state", "attempts", "started_at", "finished_at", "error", "held_from", "held_to")
HEAD = re.compile(r'"seq": ?(\d+), ?"now": ?([\d.]+)')
FIRST = re.compile(r'"first": ?(\d+), ?"first_now": ?([\d.]+)}$')


def measure() -> Subject:
    """Update age, and how many of the clients ended with anything wrong; then the page's loads."""
    with tempfile.TemporaryDirectory(prefix="pexec-bench-") as var:
        prepare(var)
        with site(var, contender=False) as port:
            watched = asyncio.run(_watch(port, CLIENTS))
            loads = _loads(port, watched["path"])
            many = asyncio.run(_watch(port, MANY))
    return Subject(
        [
            *_rows(CLIENTS, watched, must=1000, aim=300),
            *_rows(MANY, many, must=2000, aim=300),
            Row("page of 10,000 tasks, until usable", median(loads), "s", must=1.5, aim=0.6),
        ],
        {"loads_s": loads, "resyncs": [watched["resyncs"], many["resyncs"]]},
    )


def _rows(count: int, watched: dict[str, Any], must: float, aim: float) -> list[Row]:
    """What so many clients saw; ms."""
    ages, rate = sorted(watched["ages"]), TASKS / watched["seconds"]
    return [
        Row(f"{count} clients: no-op tasks while watched", rate, "/s", more_is_better=True),
        Row(f"{count} clients: frames seen by all", len(ages)),
        Row(f"{count} clients: age of an update, median", 1000 * median(ages), "ms"),
        Row(
            f"{count} clients: age of an update, 95 %",
            1000 * ages[int(len(ages) * 0.95)],
            "ms",
            must,
            aim,
        ),
        Row(f"{count} clients: with anything wrong at the end", watched["wrong"], "", must=0),
    ]


@lru_cache(64)
def joined(parts: tuple[str, ...]) -> str:
    """The frame that came in parts, for all who were sent the same."""
    return "".join(json.loads(part)["text"] for part in parts)


class Client:
    """One live page: the frames as they came, when, and how old they were."""

    def __init__(self, texts: dict[str, str]) -> None:
        self.texts = texts
        self.snapshot = ""
        self.deltas: list[str] = []
        self.ages: list[float] = []
        self.resyncs = 0
        self.seq: int | None = None
        self.is_over = False

    async def listen(
        self, live: ClientConnection | Wire, seen: asyncio.Event | None = None
    ) -> None:
        """Until the run is over or the connection is; `seen` is set by every frame."""
        parts: list[str] = []
        unsaid = 0
        async for message in live:
            text = str(message)
            unsaid += len(text)
            if unsaid > SEEN_EVERY_CHARS:
                unsaid = 0
                await live.send('{"type":"seen"}')
            if text.startswith('{"type":"forecast"'):
                continue
            if text.startswith('{"type":"part"'):
                parts.append(text)
                if not text.startswith('{"type":"part","last":true'):
                    continue
                text, parts = joined(tuple(parts)), []
            if self._take(text):
                self.resyncs += 1
                await live.send('{"type":"resync"}')
            if seen is not None:
                seen.set()
            if self.is_over:
                return

    def _take(self, text: str) -> bool:
        """Whether a frame is missing."""
        now = time.time()
        head = HEAD.search(text[:200])
        assert head is not None, text[:200]
        seq, told = int(head[1]), float(head[2])
        if '"type": "snapshot"' in text[:30] or '"type":"snapshot"' in text[:30]:
            self.snapshot, self.deltas, self.seq = self.texts.setdefault(text, text), [], seq
            self.is_over = '"completed_at":null' not in text.partition('"tasks"')[0]
            return False
        first = seq
        if several := FIRST.search(text[-60:]):  # it is as old as the oldest it tells
            first, told = int(several[1]), float(several[2])
        if self.seq is None or first > self.seq + 1:
            return True
        if seq >= self.seq:
            self.seq = seq
            self.ages.append(now - told)
            self.deltas.append(self.texts.setdefault(text, text))
            self.is_over = '"completed_at"' in text.partition('"tasks"')[0]
        return False

    def seen(self) -> tuple[int, ...]:
        """Alike for clients that were told the same: they share the texts."""
        return (id(self.snapshot), *map(id, self.deltas))

    def picture(self) -> tuple[dict[str, Any], list[list[Any]]]:
        """What the page would show: the execution, and the compared fields of each task."""
        from executions import frames

        frame = json.loads(self.snapshot)
        tasks = frames.tasks_of(frame)
        for text in self.deltas:
            delta = json.loads(text)
            frame["execution"].update(delta["execution"])
            for position, fields in delta["tasks"].items():
                tasks[int(position)].update(fields)
        return frame["execution"], [[task[name] for name in COMPARED] for task in tasks]


async def _watch(port: int, count: int) -> dict[str, Any]:
    from executions import services

    execution, headers = await asyncio.to_thread(_submitted_and_paused, port)
    path = f"/ws/executions/{execution.public_id}/"
    texts: dict[str, str] = {}
    known: dict[bytes, str] = {}

    async def watch(client: Client, seen: asyncio.Event) -> None:
        async with wired(path, headers, known, port=port) as live:
            await client.listen(live, seen)

    clients = [Client(texts) for _ in range(count)]
    watching = []
    for start in range(0, len(clients), AT_ONCE):  # the run is what is measured, not the rush
        some = clients[start : start + AT_ONCE]
        seen = [asyncio.Event() for _ in some]
        for client, event in zip(some, seen, strict=True):
            watching.append(asyncio.create_task(watch(client, event)))
        await asyncio.wait_for(asyncio.gather(*(event.wait() for event in seen)), 60)
    for client in clients:
        client.ages.clear()
    began = time.perf_counter()
    await asyncio.to_thread(services.execution_resume, execution=execution, user=None)
    await asyncio.wait_for(asyncio.gather(*watching), 600)
    seconds = time.perf_counter() - began
    return {
        "seconds": seconds,
        "ages": [age for client in clients for age in client.ages],
        "wrong": len(await asyncio.to_thread(wrong, execution.pk, clients)),
        "resyncs": sum(client.resyncs for client in clients),
        "path": f"/executions/{execution.public_id}/",
    }


def _submitted_and_paused(port: int) -> tuple[Any, dict[str, str]]:
    """The run, and what a signed-in page sends."""
    from django.contrib.auth import get_user_model

    from executions import services, specs
    from executions.models import Execution

    user: Any = get_user_model().objects.get(is_superuser=True)
    text = json.dumps(spec("watched", TASKS))
    execution = services.execution_submit(user=user, spec=specs.parse(text, format="json"))
    services.execution_pause(execution=execution, user=user)
    until = time.monotonic() + 60
    while not Execution.objects.filter(pk=execution.pk, state="paused").exists():
        assert time.monotonic() < until, "it was not paused"
        time.sleep(0.05)
    return execution, {"Cookie": f"sessionid={signed_in()}", "Origin": f"http://127.0.0.1:{port}"}


def signed_in() -> str:
    """The cookie of a session of the site's superuser."""
    from django.contrib.auth import (
        BACKEND_SESSION_KEY,
        HASH_SESSION_KEY,
        SESSION_KEY,
        get_user_model,
    )
    from django.contrib.sessions.backends.db import SessionStore

    user: Any = get_user_model().objects.get(is_superuser=True)
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    return str(session.session_key)


def wrong(pk: int, clients: list[Client]) -> list[list[str]]:
    """Of each that shows something else than the database holds: what."""
    from executions import frames
    from executions.watching.snapshots import execution_snapshot

    truth = Client({})
    truth._take(frames.encoded(execution_snapshot(pk)))  # noqa: SLF001 (the same reading)
    execution, tasks = truth.picture()
    alike = {client.seen(): client for client in clients}
    found = {seen: _differences(one.picture(), execution, tasks) for seen, one in alike.items()}
    return [found[client.seen()] for client in clients if found[client.seen()]]


def _differences(
    picture: tuple[dict[str, Any], list[list[Any]]], execution: dict[str, Any], tasks: list[Any]
) -> list[str]:
    """What is shown, and what is so."""
    shown, seen = picture
    return [
        f"{name}: {shown[name]} for {execution[name]}"
        for name in ("state", "outcome", "counts")
        if _kept(shown[name]) != _kept(execution[name])
    ] + [
        f"task {n}, {name}: {one} for {other}"
        for n, (row, true) in enumerate(zip(seen, tasks, strict=True))
        for name, one, other in zip(COMPARED, row, true, strict=True)
        if not _is_alike(one, other)
    ]


def _kept(value: Any) -> Any:
    return {k: v for k, v in value.items() if v} if isinstance(value, dict) else value


def _is_alike(one: Any, other: Any) -> bool:
    """Moments to the millisecond, which is what snapshots tell of slots; all else exactly."""
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) < SAME_S
    return bool(one == other)


def _loads(port: int, path: str) -> list[float]:
    """Seconds from asking for the page until it is live and its rows stand there."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        raise Missing("no Chromium here: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    cookie = signed_in()
    address = f"http://127.0.0.1:{port}"
    taken = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for _ in range(LOADS + 1):
            context = browser.new_context()
            context.add_cookies([{"name": "sessionid", "value": cookie, "url": address}])
            page = context.new_page()
            began = time.perf_counter()
            page.goto(f"{address}{path}?tab=tasks", wait_until="commit")
            page.locator("#live[data-state=live]").wait_for()
            page.locator("#task-rows tr[data-task]").first.wait_for()
            taken.append(time.perf_counter() - began)
            context.close()
        browser.close()
    return taken[1:]
