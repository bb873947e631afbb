"""A worker's voice: what happened to its attempts, sent in batches, kept until confirmed."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass

import structlog

from executions.dispatch.bus import Bus, BusDownError, Message
from executions.dispatch.timing import REPEAT_AFTER_S

log = structlog.get_logger(__name__)

GATHER_S = 0.005
"""How long a start or progress waits: a task over before that is told once, not twice."""
PAUSE_S = 0.5
JOIN_S = 6.0
ERROR_LIMIT = 4000
LINE_LIMIT = 200
"""Characters of an error and of a line of progress: secrets are masked before these are cut."""


@dataclass(slots=True)
class _End:
    """An end that is not known to be recorded; when it was said, and last sent (monotonic)."""

    report: Message
    said_at: float
    sent_at: float


class Reporter:
    """Sends reports from a thread of its own; ends (all but starts and progress) are kept."""

    def __init__(self, bus: Bus, worker: str) -> None:
        self._bus = bus
        self._worker = worker
        self._lock = threading.Condition()
        self._new: list[Message] = []
        """To be sent at once."""
        self._early: dict[tuple[str, str], tuple[float, Message]] = {}
        """Starts, and the last progress, by (token, kind); with when they are due (monotonic)."""
        self._unconfirmed: dict[str, _End] = {}
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="reporter", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def say(self, report: Message) -> None:
        """Send soon: a start or progress, of which nothing is kept."""
        key = report["token"], report["kind"]
        with self._lock:
            due_at, _ = self._early.get(key, (time.monotonic() + GATHER_S, None))
            self._early[key] = due_at, report
            self._lock.notify()

    def say_end(self, report: Message) -> None:
        """Send at once and again until confirmed: the end of an attempt."""
        with self._lock:
            now, token = time.monotonic(), report["token"]
            self._unconfirmed[token] = _End(report, said_at=now, sent_at=now)
            self._early.pop((token, "started"), None)  # its end says that, too
            if (progress := self._early.pop((token, "progress"), None)) is not None:
                self._new.append(progress[1])
            self._new.append(report)
            self._lock.notify()

    def confirm(self, tokens: Iterable[str]) -> None:
        """These ends are in the database."""
        with self._lock:
            for token in tokens:
                self._unconfirmed.pop(token, None)
            self._lock.notify_all()

    def unconfirmed(self) -> list[str]:
        """Tokens whose ends are not known to be recorded."""
        with self._lock:
            return list(self._unconfirmed)

    def unheard(self, for_s: float) -> dict[str, Message]:
        """Ends by token that are not confirmed so long after they were said."""
        with self._lock:
            last = time.monotonic() - for_s
            ends = self._unconfirmed.items()
            return {token: end.report for token, end in ends if end.said_at <= last}

    def flush(self, timeout_s: float) -> bool:
        """Wait until every end is confirmed; whether that came to be."""
        with self._lock:
            return self._lock.wait_for(lambda: not self._unconfirmed, timeout_s)

    def finish(self) -> None:
        """Send what is left once and end the thread, soon."""
        with self._lock:
            self._closing = True
            self._lock.notify_all()

    def close(self) -> None:
        """Finish, and wait for that."""
        self.finish()
        self._thread.join(JOIN_S)

    def _run(self) -> None:
        while True:
            reports = self._gather()
            try:
                sent = not reports or self._send(reports)
            except Exception:  # without this thread the worker would live on mute
                log.exception("not sent")
                sent = False
            if not sent:
                time.sleep(PAUSE_S)
            with self._lock:
                if self._closing and not self._new and not self._early:
                    return

    def _gather(self) -> list[Message]:
        with self._lock:
            repeat_at = time.monotonic() + REPEAT_AFTER_S / 2
            while not self._new and not self._closing:
                first = next(iter(self._early.values()), (repeat_at, None))
                left_s = min(first[0], repeat_at) - time.monotonic()
                if left_s <= 0:
                    break
                self._lock.wait(left_s)
            reports, self._new = self._new, []
            now = time.monotonic()
            for key, (due_at, report) in list(self._early.items()):
                if due_at > now and not self._closing:
                    break  # they stand in the order in which they were said
                del self._early[key]
                reports.append(report)
            for end in self._unconfirmed.values():
                if now - end.sent_at > REPEAT_AFTER_S:
                    end.sent_at = now
                    reports.append(end.report)
        return reports

    def _send(self, reports: list[Message]) -> bool:
        try:
            self._bus.report(
                {"type": "reports", "worker": self._worker, "at": time.time(), "reports": reports}
            )
        except BusDownError:
            return False  # starts are told by their ends, ends are sent again
        return True


def never_begun(token: str, kind: str) -> Message:
    """The end of an attempt that was not begun: cancelled | returned | lost."""
    return {"kind": kind, "token": token, "started_at": None, "run_s": 0.0}


def failed_at_once(token: str, error: str) -> Message:
    """The end of an attempt that nothing could be made of."""
    return {
        "kind": "failed",
        "token": token,
        "started_at": time.time(),
        "run_s": 0.0,
        "error": error[:ERROR_LIMIT],
    }
