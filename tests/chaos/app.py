"""The site's Celery application with faults built in, chosen by the environment.

`DRILL_CRASH=point:n` kills this process the n-th time it comes by a named point (of commits only
those that hand out work count); `DRILL_NOISE=seed` sends every message three times, out of order
and late; `DRILL_CLOCK=seconds` sets its wall clock off; `DRILL_STOP=n` stops it right before its
n-th commit that changes tasks and dispatches none, and before each later one; while the file
`DRILL_CUT` is there it reaches neither Redis nor its row in the database; `DRILL_MUTANT=rule` takes
a rule out of it.
"""

from __future__ import annotations

import json
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from celery.signals import worker_init

from pexec_site.celery import app

__all__ = ["app"]

CRASH_POINTS = (
    "dispatcher.before_commit",
    "dispatcher.after_commit",
    "dispatcher.after_send",
    "worker.before_accept",
    "worker.before_run",
    "worker.after_run",
    "worker.after_report",
)
LATE_S = 2.0


def _crasher(point: str) -> Callable[[], None]:
    wanted, _, count = os.environ.get("DRILL_CRASH", "").partition(":")
    left = [int(count or 1)]

    def reached() -> None:
        if wanted and point == wanted:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return reached


def _always(*_: Any) -> bool:
    return True


def _hands_out_work(_store: Any, decision: Any) -> bool:
    from executions.scheduling.messages import Dispatch

    return any(isinstance(i, Dispatch) for i in decision.instructions)


def _around(
    owner: type,
    name: str,
    before: str = "",
    after: str = "",
    *,
    when: Callable[..., bool] = _always,
) -> None:
    plain = getattr(owner, name)
    crash_before, crash_after = _crasher(before), _crasher(after)

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        counts = when(*args)
        if counts:
            crash_before()
        value = plain(*args, **kwargs)
        if counts:
            crash_after()
        return value

    setattr(owner, name, wrapped)


def _noisy(owner: type, name: str, seed: int) -> None:
    plain = getattr(owner, name)
    dice = random.Random(seed)

    def late(*args: Any) -> None:
        try:
            plain(*args)
        except Exception:  # noqa: BLE001 (what is late may be lost as well)
            return

    def wrapped(bus: Any, message: Any) -> None:
        copy = json.loads(json.dumps(message))  # the caller goes on with its own
        for _ in range(3):
            timer = threading.Timer(dice.random() * LATE_S, late, (bus, copy))
            timer.daemon = True
            timer.start()

    setattr(owner, name, wrapped)


def _stopping(owner: type, name: str, count: int) -> None:
    """Stand still like a machine that is suspended, with a decision made and not yet written."""
    plain = getattr(owner, name)
    left = [count]

    def wrapped(self: Any, decision: Any, **more: Any) -> Any:
        if decision.transitions and not _hands_out_work(self, decision):
            left[0] -= 1
            if left[0] <= 0:
                os.kill(os.getpid(), signal.SIGSTOP)
        return plain(self, decision, **more)

    setattr(owner, name, wrapped)


def _cut(sign: Path) -> None:
    """Lose Redis and the heartbeat in the database for as long as the sign is there."""
    from executions.dispatch.bus import Bus, BusDownError
    from executions.dispatch.worker import LaneWorker

    def unless_cut(owner: type, name: str, instead: Callable[[], Any]) -> None:
        plain = getattr(owner, name)

        def wrapped(*args: Any, **more: Any) -> Any:
            return instead() if sign.exists() else plain(*args, **more)

        setattr(owner, name, wrapped)

    def down() -> None:
        raise BusDownError("cut off by the drill")

    for name in ("report", "inbox_take", "heartbeat", "output_append"):
        unless_cut(Bus, name, down)
    unless_cut(LaneWorker, "_row_update", lambda: -1)
    unless_cut(LaneWorker, "_by_database", lambda: None)


@worker_init.connect
def install(**_: object) -> None:
    """Build the faults in, once tables may be imported."""
    from executions.dispatch.bus import Bus
    from executions.dispatch.reports import Reporter
    from executions.dispatch.store import Store
    from executions.dispatch.worker import LaneWorker

    if rule := os.environ.get("DRILL_MUTANT"):
        from tests.dispatch.mutants import without

        without(rule)
    if count := os.environ.get("DRILL_STOP"):
        _stopping(Store, "commit", int(count))
    if sign := os.environ.get("DRILL_CUT"):
        _cut(Path(sign))
    commit = ("dispatcher.before_commit", "dispatcher.after_commit")
    _around(Store, "commit", *commit, when=_hands_out_work)
    _around(Bus, "tell", after="dispatcher.after_send")
    _around(LaneWorker, "_accept", before="worker.before_accept")
    _around(LaneWorker, "_attempt", "worker.before_run", "worker.after_run")
    _around(Reporter, "_send", after="worker.after_report")
    if skew := os.environ.get("DRILL_CLOCK"):
        right = time.time
        time.time = lambda: right() + float(skew)
    if seed := os.environ.get("DRILL_NOISE"):
        _noisy(Bus, "report", int(seed))
        _noisy(Bus, "tell", int(seed) + 1)
