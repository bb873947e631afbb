"""The only module that speaks Redis: wake-ups, workers' inboxes, events, heartbeats, live output.

Everything here is a hint or can be sent again; Redis may be emptied at any moment. What must last
is in the database.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

EVENTS_BATCH = 2000
EVENTS_LIMIT = 100_000
"""So many wait where no dispatcher takes them; ends are sent again, the database is looked into."""
INBOX_BATCH = 500
LIST_TTL_S = 3600
HEARTBEAT_TTL_S = 60
OUTPUT_TTL_S = 900
OUTPUT_LIMIT_BYTES = 65536
SOCKET_TIMEOUT_S = 5.0
HINT_TIMEOUT_S = 1.0
"""What may go unsaid waits no longer: whoever says it has better things to do."""
CONNECT_TIMEOUT_S = 3.0

BusDownError = redis.RedisError
"""Redis does not answer; what was to be said must be said again."""

Message = dict[str, Any]


class Bus:
    """One client of the bus. Safe to share between threads."""

    def __init__(self, url: str, prefix: str) -> None:
        self._redis = _client(url, SOCKET_TIMEOUT_S, CONNECT_TIMEOUT_S)
        self._hints = _client(url, HINT_TIMEOUT_S, HINT_TIMEOUT_S)
        self._prefix = prefix

    def _key(self, *parts: object) -> str:
        return ":".join((self._prefix, *map(str, parts)))

    def _hint(self, key: str, raw: str) -> None:
        with contextlib.suppress(BusDownError):
            self._hints.rpush(key, raw)

    def ping(self) -> None:
        """Raise BusDownError where Redis does not answer."""
        self._redis.ping()

    # ------------------------------------------------------------ towards the dispatcher

    def wake(self) -> None:
        """Tell the dispatcher to look into the database now; if that fails, it looks later."""
        self._hint(self._key("events"), '{"type":"wake"}')

    def report(self, message: Message) -> None:
        """Send the dispatcher what happened on a worker."""
        key = self._key("events")
        if self._redis.rpush(key, json.dumps(message, separators=(",", ":"))) > EVENTS_LIMIT:
            self._redis.ltrim(key, -EVENTS_LIMIT, -1)

    def events_take(self, timeout_s: float) -> list[Message]:
        """All waiting events, or after `timeout_s` none. Blocks no longer than SOCKET_TIMEOUT_S."""
        return self._take(self._key("events"), timeout_s, EVENTS_BATCH)

    # ------------------------------------------------------------ towards a worker

    def tell(self, messages: Mapping[str, Message]) -> None:
        """Put one message into each worker's inbox."""
        with self._redis.pipeline(transaction=False) as pipe:
            for worker, message in messages.items():
                key = self._key("inbox", worker)
                pipe.rpush(key, json.dumps(message, separators=(",", ":")))
                pipe.expire(key, LIST_TTL_S)
            pipe.execute()

    def wake_worker(self, worker: str) -> None:
        """End a worker's wait for its next message."""
        self._hint(self._key("inbox", worker), "{}")

    def inbox_take(self, worker: str, timeout_s: float) -> list[Message]:
        """All messages for this worker, or after `timeout_s` none."""
        return self._take(self._key("inbox", worker), timeout_s, INBOX_BATCH)

    def _take(self, key: str, timeout_s: float, batch: int) -> list[Message]:
        timeout_s = min(timeout_s, SOCKET_TIMEOUT_S / 2)
        with self._redis.pipeline(transaction=False) as pipe:  # one way there and back
            if timeout_s > 0:
                pipe.blpop([key], timeout=max(timeout_s, 0.001))
            pipe.lpop(key, batch)
            *first, rest = pipe.execute()
        found = [raw for answer in first if answer for raw in answer[1:]]
        return [json.loads(raw) for raw in (*found, *(rest or ()))]

    # ------------------------------------------------------------ heartbeats

    def heartbeat(self, worker: str, message: Message) -> None:
        """Say that a worker lives and what it holds."""
        self._redis.set(self._key("alive", worker), json.dumps(message), ex=HEARTBEAT_TTL_S)

    def heartbeats(self, workers: Iterable[str]) -> dict[str, Message]:
        """The last heartbeat of each of these workers that has one."""
        names = list(workers)
        if not names:
            return {}
        values = self._redis.mget([self._key("alive", name) for name in names])
        return {n: json.loads(v) for n, v in zip(names, values, strict=True) if v}

    # ------------------------------------------------------------ live output

    def output_append(self, attempt: int, offset: int, data: bytes) -> None:
        """Keep what a running attempt printed at `offset`, the last 64 KiB of it, for a while."""
        key = self._key("output", attempt)
        with self._hints.pipeline(transaction=False) as pipe:
            pipe.rpush(key, offset.to_bytes(8, "big") + data)
            pipe.ltrim(key, -256, -1)
            pipe.expire(key, OUTPUT_TTL_S)
            pipe.execute()

    def output_read(self, attempt: int, after: int) -> tuple[int, bytes]:
        """What is kept of a running attempt's output from `after` on: (its offset, bytes)."""
        start, data = after, bytearray()
        for raw in self._redis.lrange(self._key("output", attempt), 0, -1):
            offset, piece = int.from_bytes(raw[:8], "big"), raw[8:]
            end = start + len(data)
            if offset + len(piece) <= end:
                continue
            if offset > end:
                start, data = offset, bytearray(piece)
            else:
                data += piece[end - offset :]
        if len(data) > OUTPUT_LIMIT_BYTES:
            start += len(data) - OUTPUT_LIMIT_BYTES
            del data[:-OUTPUT_LIMIT_BYTES]
        return start, bytes(data)


def _client(url: str, timeout_s: float, connect_timeout_s: float) -> Any:
    """One try more where a connection is gone (Redis was restarted), none where it is silent."""
    return redis.Redis.from_url(
        url,
        protocol=2,
        socket_timeout=timeout_s,
        socket_connect_timeout=connect_timeout_s,
        retry=Retry(NoBackoff(), 1, (redis.ConnectionError,)),
    )


@cache
def default_bus() -> Bus:
    """The bus of this process."""
    return Bus(settings.REDIS_URL, settings.PEXEC_PREFIX)


def wake() -> None:
    """Tell the dispatcher to look into the database now. Never fails."""
    default_bus().wake()
