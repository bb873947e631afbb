"""When watched executions will end: reckoned from here, now and then, and kept between.

A forecast of 10,000 tasks costs about a second of CPU, so it is made for executions somebody
watches, one at a time, and what it cost sets when the next one may be made.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from executions.models import Execution
from executions.reporting.forecast import TooLargeError, execution_expected_end
from executions.scheduling.model import OPEN_EXECUTION_STATES

EVERY_S: Final = 5.0
"""An execution is not reckoned again sooner."""
REST: Final = 20.0
"""After a forecast nobody's is made for so many times as long as it took: 5 % of a processor."""
KEPT: Final = 1000


@dataclass(frozen=True, slots=True)
class Expected:
    """When an execution will end, in epoch seconds; None: nobody can tell."""

    ends_at: float | None
    reckoned_at: float


class ExpectedEnds:
    """What one process knows of the ends of executions. May be asked from any thread."""

    def __init__(
        self,
        reckon: Callable[[int], float | None],
        clock: Callable[[], float] = time.monotonic,
        cpu: Callable[[], float] = time.thread_time,
    ) -> None:
        self._reckon = reckon
        self._clock = clock
        self._cpu = cpu
        self._known: dict[int, Expected] = {}
        self._rests_until = float("-inf")
        self._reckoning = threading.Lock()

    def of(self, pk: int) -> float | None:
        """When this execution will end as far as is known; reckoned anew if that is due."""
        if self._is_due(pk) and self._reckoning.acquire(blocking=False):
            try:
                if self._is_due(pk):
                    self._know(pk)
            finally:
                self._reckoning.release()
        known = self._known.get(pk)
        return None if known is None else known.ends_at

    def _is_due(self, pk: int) -> bool:
        now, known = self._clock(), self._known.get(pk)
        is_old = known is None or now - known.reckoned_at >= EVERY_S
        return is_old and now >= self._rests_until

    def _know(self, pk: int) -> None:
        began = self._cpu()
        ends_at = self._reckon(pk)
        now = self._clock()
        self._rests_until = now + REST * (self._cpu() - began)
        self._known.pop(pk, None)
        self._known[pk] = Expected(ends_at, now)
        while len(self._known) > KEPT:
            self._known.pop(next(iter(self._known)))


def reckoned(pk: int) -> float | None:
    """The end of an execution if it goes on as so far, from the database as it is."""
    try:
        end = execution_expected_end(Execution.objects.get(pk=pk))
    except (TooLargeError, Execution.DoesNotExist):
        return None
    return None if end is None else end.timestamp()


ends = ExpectedEnds(reckoned)
"""Of this process."""


def open_ends(pk: int | None = None) -> dict[int, float | None]:
    """When each execution (or this one) will end that has begun and is not over."""
    begun = Execution.objects.filter(
        state__in=sorted(OPEN_EXECUTION_STATES), started_at__isnull=False
    )
    shown = begun if pk is None else begun.filter(pk=pk)
    return {key: ends.of(key) for key in shown.values_list("pk", flat=True)}
