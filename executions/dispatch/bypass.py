"""The way around Redis: ends of attempts, and stops, through the database.

Slower, and only for what must not wait until Redis is back. Starts, progress, output and new orders
wait: they are told by their ends, or lost to nobody. What is told here is a hint like any message.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.db.models.functions import Now

from executions.dispatch.bus import Message
from executions.models import Attempt


@dataclass(frozen=True, slots=True)
class Standing:
    """How the live attempts of one worker stand in the database, by token."""

    live: frozenset[str]
    to_stop: frozenset[str]


def tell(worker: str, ends: Mapping[str, Message]) -> Standing:
    """Leave a worker's ends, by token, where a leader looks for them; and what it is to know."""
    rows = Attempt.objects.filter(worker=worker, released_at=None)
    found = list(rows.values_list("token", "stop_asked_at", "told", Now()))
    for token, _, told, heard_at in found:
        if told is None and token in ends:
            end = {**ends[token], "said_at": time.time(), "heard_at": heard_at.timestamp()}
            rows.filter(token=token).update(told=end)
    return Standing(
        live=frozenset(token for token, *_ in found),
        to_stop=frozenset(token for token, asked_at, *_ in found if asked_at is not None),
    )


def told(known: Iterable[str]) -> list[Message]:
    """Messages of the ends that workers left here, but for those `known` already."""
    rows = Attempt.objects.filter(released_at=None, told__isnull=False)
    return [
        {
            "type": "reports",
            "worker": worker,
            "at": end["said_at"],
            "heard_at": end["heard_at"],
            "reports": [end],
        }
        for worker, end in rows.exclude(token__in=set(known)).values_list("worker", "told")
        if end is not None
    ]
