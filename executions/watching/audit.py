"""Permits held against attempts: what the tables must agree on at every instant.

Permits are what live attempts hold, so a drift cannot happen by construction; if one is found,
something else than the dispatcher wrote these rows, or it has a bug. Each question is one
statement, so that a commit between two of them is never mistaken for a drift.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from django.db.models import Exists, OuterRef, Q

from executions.models import Attempt, TaskRun
from executions.scheduling.model import (
    LIVE_ATTEMPT_STATES,
    OPEN_EXECUTION_STATES,
    TaskState,
)

_LIVE = sorted(LIVE_ATTEMPT_STATES)
_OPEN = sorted(OPEN_EXECUTION_STATES)
_IN_FLIGHT = sorted((TaskState.DISPATCHED, TaskState.RUNNING))


def _ended_yet_holding() -> int:
    return Attempt.objects.filter(released_at=None).exclude(state__in=_LIVE).count()


def _live_yet_released() -> int:
    released = Attempt.objects.filter(state__in=_LIVE).exclude(released_at=None)
    return released.filter(execution__state__in=_OPEN).count()


def _held_by_what_is_over() -> int:
    held = Attempt.objects.filter(released_at=None)
    return held.filter(~Q(task_run__state__in=_IN_FLIGHT) | ~Q(execution__state__in=_OPEN)).count()


def _in_flight_without_permit() -> int:
    held = Attempt.objects.filter(task_run=OuterRef("pk"), released_at=None)
    in_flight = TaskRun.objects.filter(execution__state__in=_OPEN, state__in=_IN_FLIGHT)
    return in_flight.filter(~Exists(held)).count()


QUESTIONS: Mapping[str, Callable[[], int]] = {
    "ended attempts hold a permit": _ended_yet_holding,
    "live attempts hold none": _live_yet_released,
    "permits are held for what is over or waits": _held_by_what_is_over,
    "task runs in flight have no attempt": _in_flight_without_permit,
}


def permit_drift() -> dict[str, int]:
    """How many rows contradict each other, by how; all zero where all is well."""
    return {words: ask() for words, ask in QUESTIONS.items()}
