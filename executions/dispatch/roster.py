"""Which worker processes live, what they hold, and by how much their clocks are off.

A worker says that it lives in two places, the database and Redis; either one is enough for it to
go on. So it is declared gone only after both were watched without a break, and were silent, for
longer than it may run unconfirmed. Silence is measured on this process's monotonic clock by
watching values change: nobody's wall clock matters.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.db.models.functions import Now

from executions.dispatch.bus import Bus, BusDownError, Message
from executions.dispatch.timing import BLIND_AFTER_S, LOST_AFTER_S, SILENT_AFTER_S
from executions.models import WorkerProcess

CLOCK_TOLERANCE_S = 2.0


@dataclass(slots=True)
class Worker:
    """What is known of one living worker process."""

    slots: int
    marks: tuple[object, object]
    row_at: float
    """When the database last told that it lives, on the monotonic clock."""
    holds: frozenset[str] | None = None
    heard_at: float = 0.0
    """When `holds` was last heard: Redis told that it lives."""
    is_news: bool = False
    """`holds` was heard since it was last looked at."""
    skew_s: float | None = None


class Roster:
    """The living workers, as one leader sees them."""

    def __init__(self, bus: Bus, monotonic: Callable[[], float]) -> None:
        self._bus = bus
        self._monotonic = monotonic
        self._watched_since: float | None = None
        self._looked_at = float("-inf")
        self.workers: dict[str, Worker] = {}

    def slots(self) -> dict[str, int]:
        """Slots of each living worker: all, or none where it is silent in one of the two places.

        Cut off from Redis it hears no order, cut off from the database it can read none.
        """
        return {n: 0 if self._is_silent(w) else w.slots for n, w in self.workers.items()}

    def _is_silent(self, worker: Worker) -> bool:
        if self._watched_since is None:  # nothing is known
            return False
        least_at = min(worker.row_at, worker.heard_at)
        return self._looked_at - max(least_at, self._watched_since) > SILENT_AFTER_S

    def blind(self) -> None:
        """One of the two places could not be read: nothing is known of the time until now."""
        self._watched_since = None

    def refresh(self) -> None:
        """Look at every worker; those silent for too long are marked gone in the database."""
        now = self._monotonic()
        if now - self._looked_at > BLIND_AFTER_S:
            self.blind()
        self._looked_at = now
        rows = {row.pk: row for row in WorkerProcess.objects.filter(gone_at=None)}
        try:
            beats = self._bus.heartbeats(rows)
        except BusDownError:
            beats = None
            self.blind()
        else:
            self._watched_since = now if self._watched_since is None else self._watched_since
        for gone in self.workers.keys() - rows.keys():
            del self.workers[gone]
        for name, row in rows.items():
            self._see(name, row, None if beats is None else beats.get(name), now)
        self._bury(now)

    def _see(self, name: str, row: WorkerProcess, beat: Message | None, now: float) -> None:
        marks = (row.heartbeat_at, beat and beat["n"])
        worker = self.workers.get(name)
        if worker is None:
            worker = self.workers[name] = Worker(row.slots, marks, now)
        if marks[0] != worker.marks[0]:
            worker.row_at = now
        worker.slots = row.slots
        if beat and (worker.holds is None or marks[1] != worker.marks[1]):
            worker.holds, worker.heard_at = frozenset(beat["holds"]), now
            worker.is_news = True
        worker.marks = marks

    def _bury(self, now: float) -> None:
        if self._watched_since is None:
            return
        for name, worker in list(self.workers.items()):
            if now - max(worker.row_at, worker.heard_at, self._watched_since) > LOST_AFTER_S:
                WorkerProcess.objects.filter(pk=name, gone_at=None).update(gone_at=Now())
                del self.workers[name]

    def offset_s(self, name: str, said_at: float, now: float) -> float:
        """What to add to a worker's wall-clock times. The least delay seen is taken as its skew."""
        worker = self.workers.get(name)
        seen = now - said_at
        if worker is None:
            return seen if abs(seen) > CLOCK_TOLERANCE_S else 0.0
        if worker.skew_s is None or seen < worker.skew_s:
            worker.skew_s = seen
        return worker.skew_s if abs(worker.skew_s) > CLOCK_TOLERANCE_S else 0.0
