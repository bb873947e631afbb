"""A worker process's side of dispatch: takes what is addressed to it, runs it, says how it went.

It says that it lives in the database and in Redis; when it can do neither for long enough, it stops
what it runs, so that the permits can be used by others.
"""

from __future__ import annotations

import os
import queue
import secrets
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import IntegrityError, connection
from django.db.models.functions import Now

from executions.dispatch import bypass
from executions.dispatch.briefs import Brief, BriefBook, NoBriefError, filled_in
from executions.dispatch.bus import Bus, BusDownError, Message
from executions.dispatch.live import FanOut
from executions.dispatch.output_tap import OutputTap
from executions.dispatch.reports import (
    ERROR_LIMIT,
    LINE_LIMIT,
    Reporter,
    failed_at_once,
    never_begun,
)
from executions.dispatch.timing import (
    BYPASS_EVERY_S,
    DRAIN_S,
    HEARTBEAT_EVERY_S,
    REPEAT_AFTER_S,
    SELF_STOP_S,
    STOP_S,
)
from executions.models import Attempt, WorkerProcess
from executions.runners.base import Context, End, Outcome
from executions.runners.output import OutputBuffer
from executions.runners.redaction import Redaction
from executions.runners.references import UnresolvedReferenceError
from executions.runners.registry import RunnerOptions, RunnerSet
from executions.runners.results import keep_percent, keep_text

log = structlog.get_logger(__name__)

CONFIRM_S = 3.0
SEEN_LIMIT = 100_000
LANE_REQUEST_S = 2.0
BEGIN_ANEW_S = 1.0
JOIN_S = 5.0
READ_AGAIN_S = 0.5
OUTPUTS_KEPT = 256
"""How many outputs wait for a database that is away; the oldest are given up first."""


@dataclass(slots=True)
class Held:
    """An attempt this worker was given and has not ended."""

    token: str
    execution: int
    position: int
    number: int
    context: Context | None = None
    stopped_as: str = ""
    """What a stop means: cancelled | returned | lost; empty while it may run."""


class LaneWorker:
    """All that one worker process holds. `start_lane` asks Celery for one more lane."""

    def __init__(self, bus: Bus, slots: int, start_lane: Callable[[], None]) -> None:
        self.incarnation = f"{socket.gethostname()[:40]}-{os.getpid()}-{secrets.token_hex(4)}"
        self._bus = bus
        self._slots = slots
        self._start_lane = start_lane
        self._runners = RunnerSet(
            settings.PEXEC_RUNNERS,
            RunnerOptions(
                scratch_dir=Path(settings.VAR_DIR) / "scratch",
                python_callables=tuple(settings.PEXEC_PYTHON_CALLABLES),
                http_allowed=tuple(settings.PEXEC_HTTP_ALLOW_PRIVATE),
                silence_s=SELF_STOP_S,
            ),
        )
        self._reporter = Reporter(bus, self.incarnation)
        self._briefs = BriefBook()
        self._queue: queue.SimpleQueue[Held | None] = queue.SimpleQueue()
        self._lock = threading.Condition()
        self._held: dict[str, Held] = {}
        self._seen: dict[str, None] = {}
        self._late_outputs: deque[tuple[OutputTap, OutputBuffer]] = deque(maxlen=OUTPUTS_KEPT)
        self._lanes = 0
        self._lanes_asked: list[float] = []
        self._beats = 0
        self._confirmed_at = time.monotonic()
        self._is_announced = False
        self._is_deaf = False  # to Redis
        self._is_draining = False
        self._is_hurried = False
        self._closed = threading.Event()
        self._threads = [
            threading.Thread(
                target=self._steadily, args=(run,), name=run.__name__.strip("_"), daemon=True
            )
            for run in (
                self._listen,
                self._call,
                self._pulse_database,
                self._pulse_redis,
                self._go_around,
                self._guard,
            )
        ]

    # ------------------------------------------------------------ life

    def start(self) -> None:
        """Announce this process and begin to listen."""
        self._runners.start()
        self._fan_out = FanOut()
        self._announce()
        connection.close()
        self._beat()
        self._reporter.start()
        for thread in self._threads:
            thread.start()
        self._bus.wake()

    def _announce(self) -> int:
        """Enter this process in the database; as `_row_update`, to be tried again where that fails.

        Nothing is given to a process that stands nowhere, so it may wait for a database.
        """
        about = {"host": socket.gethostname(), "pid": os.getpid(), "slots": self._slots}
        moments = {"first_seen_at": Now(), "heartbeat_at": Now()}
        try:  # one that failed may have been written
            WorkerProcess.objects.get_or_create(pk=self.incarnation, defaults={**about, **moments})
        except DatabaseError as error:
            log.warning("not announced yet", error=str(error))
            return -1
        self._is_announced = True
        return 1

    def drain(self, patience_s: float = DRAIN_S) -> None:
        """Take nothing new, let finish what does soon, hand back the rest, say goodbye."""
        with self._lock:
            self._is_draining = True
        self._row_update(slots=0)
        self._bus.wake()
        with self._lock:
            self._lock.wait_for(lambda: self._is_hurried or not self._held, patience_s)
            for held in self._held.values():
                self._stop_held(held, "returned")
            self._lock.wait_for(lambda: not self._held, STOP_S)
        if not self._reporter.flush(CONFIRM_S):
            self._by_database()
        self._reporter.finish()
        self._close_threads()
        self._reporter.close()
        self._runners.stop()
        self._fan_out.close()
        self._keep_late_outputs()
        self._row_update(gone_at=Now())
        self._bus.wake()
        connection.close()

    def hurry(self) -> None:
        """Let a drain, under way or to come, hand everything back without waiting."""
        with self._lock:
            self._is_hurried = True
            self._lock.notify_all()

    def _steadily(self, run: Callable[[], None]) -> None:
        """Run until the worker is closed, whatever goes wrong: it would live on deaf or silent."""
        while not self._closed.is_set():
            try:
                run()
            except Exception:
                log.exception("begun anew", thread=threading.current_thread().name)
                self._closed.wait(BEGIN_ANEW_S)
            finally:
                connection.close()

    def _close_threads(self) -> None:
        self._closed.set()
        for _ in range(self._slots):
            self._queue.put(None)  # lanes that linger end now
        self._bus.wake_worker(self.incarnation)
        end = time.monotonic() + JOIN_S
        for thread in self._threads:
            thread.join(max(end - time.monotonic(), 0.0))

    def _row_update(self, **values: Any) -> int:
        try:
            return WorkerProcess.objects.filter(pk=self.incarnation, gone_at=None).update(**values)
        except DatabaseError as error:
            log.warning("worker row not written", error=str(error))
            return -1

    # ------------------------------------------------------------ the inbox

    def _listen(self) -> None:
        while not self._closed.is_set():
            try:
                messages = self._bus.inbox_take(self.incarnation, 1.0)
            except BusDownError:
                self._is_deaf = True
                self._closed.wait(0.5)
                continue
            self._is_deaf = False
            for message in messages:
                self._reporter.confirm(message.get("ended", ()))
                for token in message.get("stop", ()):
                    self._stop(token)
                for run in message.get("run", ()):
                    self._accept(Held(*run))
            self._ask_for_lanes()

    def _accept(self, held: Held) -> None:
        """Take an attempt once, whatever is sent how often."""
        with self._lock:
            if held.token in self._seen:
                self._answer_for_the_forgotten(held)
                return
            self._seen[held.token] = None
            if len(self._seen) > SEEN_LIMIT:
                del self._seen[next(iter(self._seen))]
            if self._is_draining:
                self._reporter.say_end(never_begun(held.token, "returned"))
                return
            self._held[held.token] = held
        self._queue.put(held)

    def _answer_for_the_forgotten(self, held: Held) -> None:
        """Told again of an attempt that has ended, was told and confirmed: nobody knows of it."""
        if held.token not in self._held and held.token not in self._reporter.unconfirmed():
            self._reporter.say_end(never_begun(held.token, "lost"))

    def _stop(self, token: str) -> None:
        with self._lock:
            held = self._held.get(token)
            if held is not None:
                self._stop_held(held, "cancelled")
            elif token not in self._seen:  # the stop overtook its order
                self._seen[token] = None
                self._reporter.say_end(never_begun(token, "cancelled"))

    def _stop_held(self, held: Held, stopped_as: str) -> None:
        held.stopped_as = held.stopped_as or stopped_as
        if held.context is not None:
            held.context.stop.set()

    def _ask_for_lanes(self) -> None:
        """Ask for as many lanes as have work; an order not followed in time is given again."""
        now = time.monotonic()
        with self._lock:
            self._lanes_asked = [at for at in self._lanes_asked if now - at < LANE_REQUEST_S]
            missing = min(len(self._held), self._slots) - self._lanes - len(self._lanes_asked)
            self._lanes_asked.extend([now] * max(missing, 0))
        for _ in range(missing):
            self._start_lane()

    # ------------------------------------------------------------ around Redis

    def _go_around(self) -> None:
        """Tell ends and hear of stops through the database too: at times, often where deaf."""
        due_at = 0.0
        while not self._closed.wait(BYPASS_EVERY_S):
            if self._is_deaf or time.monotonic() >= due_at:
                self._by_database()
                connection.close()
                due_at = time.monotonic() + HEARTBEAT_EVERY_S

    def _by_database(self) -> None:
        with self._lock:
            held = [*self._held]
        ends = self._reporter.unheard(0.0 if self._is_deaf else REPEAT_AFTER_S)
        try:
            standing = bypass.tell(self.incarnation, ends)
        except DatabaseError as error:
            connection.close()
            log.debug("no way around Redis", error=str(error))
            return
        self._reporter.confirm(ends.keys() - standing.live)
        for token in standing.to_stop.union(held) - (standing.live - standing.to_stop):
            self._stop(token)

    # ------------------------------------------------------------ lanes

    def _call(self) -> None:
        """Ask again for lanes that did not come; this may take as long as Redis is silent."""
        while not self._closed.wait(1.0):
            self._ask_for_lanes()

    def lane(self, linger_s: float, age_s: float) -> None:
        """Run attempts one after another until there are none for `linger_s`, or for `age_s`."""
        end = time.monotonic() + age_s
        with self._lock:
            self._lanes += 1
            if self._lanes_asked:
                self._lanes_asked.pop()
        try:
            while time.monotonic() < end and not self._closed.is_set():
                try:
                    held = self._queue.get(timeout=linger_s)
                except queue.Empty:
                    return
                if held is not None:
                    self._run(held)
        finally:
            with self._lock:
                self._lanes -= 1
            connection.close()

    def _run(self, held: Held) -> None:
        report: Message
        try:
            report = self._attempt(held)
        except NoBriefError:
            report = failed_at_once(held.token, "nothing to run")
        except Exception as error:
            log.exception("attempt not run")
            report = failed_at_once(held.token, f"{type(error).__name__}: {error}")
        with self._lock:
            self._held.pop(held.token, None)
            self._reporter.say_end(report)
            self._lock.notify_all()

    def _order(self, held: Held) -> tuple[Brief, Any, Redaction, Outcome | None] | None:
        """What to run, read from the database; waits for one that is away. None: handed back."""
        end = time.monotonic() + SELF_STOP_S
        while not held.stopped_as:
            try:
                brief = self._briefs.get(held.execution, held.position)
                try:
                    return brief, *filled_in(brief.payload, held.execution), None
                except UnresolvedReferenceError as error:
                    refused = Outcome(End.FAILED, error=str(error), retryable=False)
                    return brief, {}, Redaction(()), refused
            except DatabaseError as error:
                connection.close()
                log.warning("order not read", token=held.token[:8], error=str(error))
                if time.monotonic() > end or self._closed.wait(READ_AGAIN_S):
                    held.stopped_as = "returned"
        return None

    def _attempt(self, held: Held) -> Message:
        order = self._order(held)
        if order is None:
            return never_begun(held.token, held.stopped_as)
        brief, payload, redaction, refused = order
        tap = OutputTap(self._bus, self._fan_out, held.token)
        output = OutputBuffer(tap=tap, redaction=redaction)
        context = Context(
            execution=brief.execution,
            task=brief.task,
            attempt=held.number,
            token=held.token,
            timeout_s=brief.timeout_s,
            output=output,
            progress=lambda percent, line: self._reporter.say(
                {
                    "kind": "progress",
                    "token": held.token,
                    "percent": keep_percent(percent),
                    "line": redaction.text(keep_text(line))[:LINE_LIMIT],
                }
            ),
            redaction=redaction,
        )
        with self._lock:
            if held.stopped_as:
                return never_begun(held.token, held.stopped_as)
            held.context = context
        started_at, begun = time.time(), time.monotonic()
        self._reporter.say({"kind": "started", "token": held.token, "started_at": started_at})
        outcome = refused or self._runners.run(brief.runner, payload, context)
        run_s = time.monotonic() - begun
        output.close()
        self._keep(tap, output)
        stopped = held.stopped_as if outcome.end is End.CANCELLED else ""
        return {
            "kind": stopped or outcome.end.value,
            "token": held.token,
            "started_at": started_at,
            "run_s": run_s,
            "result": redaction.data(outcome.result),
            "error": redaction.text(outcome.error)[:ERROR_LIMIT],
            "exit_code": outcome.exit_code,
            "retryable": outcome.retryable,
        }

    def _keep(self, tap: OutputTap, output: OutputBuffer) -> None:
        """Write what was printed; what happened is told even where the database is away."""
        try:
            tap.keep(output)
        except (Attempt.DoesNotExist, IntegrityError):  # removed, with all that belongs to it
            return
        except DatabaseError as error:
            connection.close()
            log.warning("output kept back", error=str(error))
            self._late_outputs.append((tap, output))

    def _keep_late_outputs(self) -> None:
        for _ in range(len(self._late_outputs)):
            self._keep(*self._late_outputs.popleft())

    # ------------------------------------------------------------ heartbeats

    def _pulse_database(self) -> None:
        while not self._closed.wait(HEARTBEAT_EVERY_S):
            begun = time.monotonic()
            known = self._is_announced
            written = self._row_update(heartbeat_at=Now()) if known else self._announce()
            if written > 0:
                self._keep_late_outputs()
            connection.close()
            if written > 0:
                self._confirmed_at = max(self._confirmed_at, begun)
            elif written == 0 and not self._closed.is_set():
                self._declared_gone()

    def _pulse_redis(self) -> None:
        while not self._closed.wait(HEARTBEAT_EVERY_S):
            self._beat()

    def _beat(self) -> None:
        self._beats += 1
        with self._lock:
            holds = [*self._held]
        begun = time.monotonic()
        try:
            message = {"n": self._beats, "holds": [*holds, *self._reporter.unconfirmed()]}
            self._bus.heartbeat(self.incarnation, message)
            self._confirmed_at = max(self._confirmed_at, begun)
        except BusDownError:
            pass  # the database may still confirm

    def _guard(self) -> None:
        """Stop what runs when this process could confirm itself nowhere for too long."""
        while not self._closed.wait(1.0):
            self._runners.keep_alive()
            if time.monotonic() - self._confirmed_at > SELF_STOP_S:
                with self._lock:
                    for held in self._held.values():
                        self._stop_held(held, "lost")

    def _declared_gone(self) -> None:
        """Its permits are given to others: stop at once and begin anew as another process."""
        log.error("declared gone; stopping")
        with self._lock:
            for held in self._held.values():
                self._stop_held(held, "lost")
        self._runners.stop()
        os.kill(os.getpid(), 15)
