"""Celery's way to Redis: kombu's own, but for what comes over a connection that has ended.

Kombu raises AttributeError then, which Celery takes for a fault of its own and ends the worker.
"""

from __future__ import annotations

from typing import Any

from kombu.transport import TRANSPORT_ALIASES, redis


class Channel(redis.Channel):
    """Fails as its connection did: Celery connects anew."""

    def _connparams(self, asynchronous: bool = False) -> Any:  # noqa: FBT001, FBT002 (kombu's)
        if getattr(self.connection, "client", None) is None:
            raise ConnectionError("too late: the connection has ended")
        return super()._connparams(asynchronous)  # type: ignore[misc]  # kombu's stubs lack it


class Transport(redis.Transport):
    """For every address that begins with `redis`."""

    Channel = Channel


def install() -> None:
    """Make kombu use it."""
    TRANSPORT_ALIASES["redis"] = f"{__name__}:{Transport.__name__}"
