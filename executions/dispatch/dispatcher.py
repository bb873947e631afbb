"""The loop around the brain: collect, decide, commit, send.

Commit or forget: whatever goes wrong between two commits, the machine is thrown away and loaded
again from the database. Nothing is ever recomputed from Redis.
"""

from __future__ import annotations

import os
import random
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import structlog
from django.db import Error as DatabaseError
from django.db import close_old_connections, connection
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now

from executions.dispatch import bypass
from executions.dispatch.bus import Bus, BusDownError, Message
from executions.dispatch.chores import Chores
from executions.dispatch.inbox import Batch, take_commands, take_messages
from executions.dispatch.lease import Lease, StaleTermError
from executions.dispatch.live import FRAME_EVERY_S, FanOut, LiveFeed
from executions.dispatch.presence import Presence
from executions.dispatch.replanner import Replanner
from executions.dispatch.roster import Roster
from executions.dispatch.rows import StaleRowError
from executions.dispatch.store import NO_SUMS, AttemptAddress, Committed, Store, Sums
from executions.dispatch.timing import (
    AUDIT_EVERY_S,
    DEAF_AFTER_S,
    LOOK_EVERY_S,
    RESEND_AFTER_S,
    RESEND_LIMIT_S,
    STANDBY_S,
    SUM_EVERY_S,
)
from executions.models import Attempt, Command, Team
from executions.models.snapshots import site_limits
from executions.scheduling.machine import Machine
from executions.scheduling.messages import (
    AttemptLost,
    AttemptReturned,
    CloseExecution,
    LimitsChanged,
    Tick,
    WaitChange,
    WakeAt,
    WorkersChanged,
)

log = structlog.get_logger(__name__)

MISSED_LIMIT = 3


class PermitDriftError(Exception):
    """Somebody else changed attempts in the database; forget the machine and load again."""


class DeafLeaderError(Exception):
    """Redis cannot be reached from here, maybe from elsewhere; hand the lead over."""


class Clock:
    """Epoch seconds that never go back: the wall clock at the start, and what passed since.

    What passed includes the time that a laptop slept, where the system tells (the monotonic clock
    leaves it out): the wall clocks of workers and pages go on.
    """

    def __init__(self) -> None:
        self._offset = time.time() - _since_boot()

    def now(self) -> float:
        """Epoch seconds."""
        return _since_boot() + self._offset


def _since_boot() -> float:
    boottime = getattr(time, "CLOCK_BOOTTIME", None)  # Linux
    return time.monotonic() if boottime is None else time.clock_gettime(boottime)


class Leader:
    """What one term of leadership remembers; made anew after anything went wrong."""

    def __init__(self, lease: Lease, bus: Bus, feed: LiveFeed, clock: Clock) -> None:
        self._lease = lease
        self._bus = bus
        self._feed = feed
        self._clock = clock
        self._store = Store(lease)
        self._machine = Machine(jitter=random.SystemRandom().random)
        self._roster = Roster(bus, time.monotonic)
        self._heard_at = time.monotonic()
        self._replanner = Replanner()
        self._limits: dict[Any, int] | None = None
        self._slots: dict[str, int] | None = None
        self._look_at = float("-inf")
        self._audit_at = float("-inf")
        self._wake_at = float("inf")
        self._waits_at = float("-inf")
        """When waits that changed may be written again; few times a second, for they are many."""
        self._sum_at = float("-inf")
        self._sums: dict[str, Sums] = {}
        """What was written last of what open executions waited for."""
        self._unsent: defaultdict[str, Message] = defaultdict(dict)

    def step(self, timeout_s: float) -> None:
        """One cycle. Raises what makes this leader unusable."""
        messages = self._collect(timeout_s)
        now = self._clock.now()
        if self._lease.is_due():
            self._lease.renew()
        batch = Batch(must_look=now >= self._look_at or any(m["type"] == "wake" for m in messages))
        if batch.must_look:
            self._load(batch)
        take_messages(batch, messages, self._store, self._roster, now)
        if batch.must_look:
            self._look(batch, now)
            now = self._clock.now()  # to look may take long, and news came of that time
        batch.events.extend(self._replanner.take(now))
        if now >= self._wake_at:
            batch.events.append(Tick())
        sums = self._changed_sums(now)
        if any((batch.events, batch.handled, batch.progress, sums)) or now >= self._waits_due_at():
            self._decide(batch, now, sums)
        self._send(batch)
        self._feed.flush(now, self._usage)
        if self._limits is not None and self._slots is not None:
            self._replanner.begin(self._machine, self._limits, sum(self._slots.values()), now)

    def close(self) -> None:
        """Let go of what runs beside the leader."""
        self._replanner.close()

    def _collect(self, timeout_s: float) -> list[Message]:
        now = self._clock.now()
        due = min(self._wake_at, self._look_at, self._feed.due_at(), self._waits_due_at())
        try:
            messages = self._bus.events_take(max(min(timeout_s, due - now), 0.0))
        except BusDownError:
            if time.monotonic() - self._heard_at > DEAF_AFTER_S:
                raise DeafLeaderError from None
            self._roster.blind()
            time.sleep(min(timeout_s, 0.5))
            return []
        self._heard_at = time.monotonic()
        return messages

    def _load(self, batch: Batch) -> None:
        """Take up every open execution not known yet; at first that is all there are."""
        for pk in self._store.unknown_open():
            event = self._store.load(pk)
            batch.events.append(event)
            if event.group.planning:
                batch.events.extend(self._replanner.open(pk, event, self._clock.now()))

    def _look(self, batch: Batch, now: float) -> None:
        """Look into the database: limits, workers, commands; then hold attempts against workers."""
        self._look_at = now + LOOK_EVERY_S
        if now >= self._audit_at:
            self._audit_at = now + AUDIT_EVERY_S
            self._audit()
        limits = dict(site_limits())
        if limits != self._limits:
            self._limits = limits
            batch.events.insert(0, LimitsChanged(limits))
            self._replanner.disturb()
        self._roster.refresh()
        slots = self._roster.slots()
        if slots != self._slots:
            self._slots = slots
            batch.events.insert(0, WorkersChanged(slots))
        waiting = Command.objects.filter(handled_at=None).select_related("attempt").order_by("id")
        take_commands(batch, waiting, self._store, now)
        told = bypass.told(batch.ended)
        take_messages(batch, told, self._store, self._roster, self._clock.now())
        self._reconcile(batch)
        self._stop_unknown()
        self._release_claims(batch)

    def _reconcile(self, batch: Batch) -> None:
        """Hold every live attempt against its worker: gone, never told, forgotten, stopping."""
        mono = time.monotonic()
        for address in self._store.attempts.values():
            if not address.worker or address.token in batch.ended:
                continue
            worker = self._roster.workers.get(address.worker)
            if worker is None:
                batch.events.append(
                    AttemptReturned(*address.key, started=False)
                    if address.started_at is None
                    else AttemptLost(*address.key)
                )
                continue
            if address.is_stopping and mono - address.sent_at > RESEND_AFTER_S:
                address.sent_at = mono
                self._say_stop(address.worker, [address.token])
            if worker.holds is None or worker.heard_at - address.sent_at < RESEND_AFTER_S:
                continue
            if address.token in worker.holds:
                address.missed = 0
            elif address.started_at is None:
                pause = min(RESEND_AFTER_S * 2**address.sends, RESEND_LIMIT_S)
                if mono - address.sent_at > pause:
                    self._assign(address)
            else:
                address.missed += 1
                if address.missed > MISSED_LIMIT:
                    batch.events.append(AttemptLost(*address.key))

    def _audit(self) -> None:
        """Hold the permits that are known against those of the database; between two commits."""
        live = set(Attempt.objects.filter(released_at=None).values_list("token", flat=True))
        if drift := live ^ self._store.attempts.keys():
            raise PermitDriftError(f"{len(drift)} attempts, of {len(live)} in the database")

    def _stop_unknown(self) -> None:
        """Whatever a worker holds that is no live attempt (any more) is to be stopped there."""
        for name, worker in self._roster.workers.items():
            if worker.is_news:
                worker.is_news = False
                unknown = (worker.holds or frozenset()) - self._store.attempts.keys()
                if unknown:
                    self._say_stop(name, sorted(unknown))

    def _release_claims(self, batch: Batch) -> None:
        """External work whose taker went silent is lost to them; who may no more gives it back."""
        taken = Attempt.objects.filter(worker="", released_at=None).exclude(claimed_by=None)
        lost = set(taken.filter(claim_deadline__lt=Now()).values_list("token", flat=True))
        is_member = Team.members.through.objects.filter(
            team__name=OuterRef("task_run__team"), user=OuterRef("claimed_by")
        )
        strayed = taken.filter(
            Q(claimed_by__is_active=False)
            | Q(claimed_by__is_superuser=False) & ~Q(task_run__team="") & ~Exists(is_member)
        )
        for token in lost:
            if address := self._store.attempts.get(token):
                batch.events.append(AttemptLost(*address.key))
        for token in set(strayed.values_list("token", flat=True)) - lost:
            if address := self._store.attempts.get(token):
                batch.events.append(AttemptReturned(*address.key, started=True))

    def _decide(self, batch: Batch, now: float, sums: Mapping[str, Sums]) -> None:
        decision = self._machine.handle(batch.events, now)
        self._replanner.observe(decision)
        self._wake_at = float("inf")
        for instruction in decision.instructions:
            if isinstance(instruction, WakeAt):
                self._wake_at = instruction.at
            elif isinstance(instruction, CloseExecution):
                self._waits_at = now  # nothing is written of it any more after this commit
        committed = self._store.commit(
            decision,
            now=now,
            endings=batch.endings,
            waits=self._changed_waits(now),
            sums=sums,
            progress=batch.progress,
            handled=batch.handled,
        )
        self._after_commit(committed)
        for address in batch.closed:
            self._say_stop(address.worker, [address.token])

    def _after_commit(self, committed: Committed) -> None:
        for addresses in committed.assignments.values():
            for address in addresses:
                self._assign(address)
        for worker, stopping in committed.stops.items():
            for address in stopping:
                address.sent_at = time.monotonic()
            self._say_stop(worker, [address.token for address in stopping])
        closed = {execution.public_id: execution for execution in committed.closed}
        for public_id, changes in committed.changes.items():
            execution = closed.get(public_id) or self._store.executions[public_id]
            self._feed.add(execution, changes)

    def _waits_due_at(self) -> float:
        """When changed waits are to be written; infinity if there are none."""
        return self._waits_at if self._machine.has_changed_waits else float("inf")

    def _changed_waits(self, now: float) -> tuple[WaitChange, ...]:
        """The waits to write now."""
        if now < self._waits_at:
            return ()
        self._waits_at = now + FRAME_EVERY_S
        return self._machine.changed_waits()

    def _changed_sums(self, now: float) -> dict[str, Sums]:
        """What open executions waited for up to now, where it is time to write that and it grew."""
        if now < self._sum_at:
            return {}
        self._sum_at = now + SUM_EVERY_S
        before = self._sums
        self._sums = {id_: self._machine.totals(id_, now) for id_ in self._machine.executions()}
        return {id_: sums for id_, sums in self._sums.items() if sums != before.get(id_, NO_SUMS)}

    def _assign(self, address: AttemptAddress) -> None:
        address.sent_at = time.monotonic()
        address.sends += 1
        run = [address.token, address.execution_pk, address.position, address.key[2]]
        self._say(address.worker, "run", [run])

    def _say_stop(self, worker: str, tokens: list[str]) -> None:
        if worker:  # external work is with people
            self._say(worker, "stop", tokens)

    def _say(self, worker: str, what: str, items: list[Any]) -> None:
        self._unsent[worker].setdefault(what, []).extend(items)

    def _send(self, batch: Batch) -> None:
        for worker, tokens in batch.confirmed.items():
            self._say(worker, "ended", tokens)
        if not self._unsent:
            return
        try:
            self._bus.tell(self._unsent)
        except BusDownError:
            self._roster.blind()  # what matters is sent again by _reconcile
        self._unsent.clear()

    def _usage(self) -> dict[str, list[int]]:
        waiting = self._machine.waiting_for()
        return {
            key: [used, limit, waiting.get(key, 0)]
            for key, (used, limit) in self._machine.usage().items()
            if "/" not in key
        }


class Dispatcher:
    """Waits for the lease, leads while it holds, starts over when anything goes wrong."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._clock = Clock()
        holder = f"{socket.gethostname()}:{os.getpid()}:{random.getrandbits(32):08x}"
        self._lease = Lease(holder)
        self._presence = Presence(holder)
        self._fan_out = FanOut()
        self._stopping = threading.Event()
        self._chores = Chores.of_site(self._lease.is_trusted)

    def run(self) -> None:
        """Serve until `stop`."""
        self._chores.start()
        while not self._stopping.is_set():
            try:
                if self._lease.is_trusted() or self._lease.acquire():
                    self._lead()
                else:
                    self._presence.tell()
                    self._stopping.wait(STANDBY_S)
            except (StaleTermError, StaleRowError, DatabaseError) as error:
                log.warning("dispatcher starts over", error=f"{type(error).__name__}: {error}")
                self._stopping.wait(STANDBY_S)
            except DeafLeaderError:
                log.warning("Redis not heard; another dispatcher may lead")
                self._abstain()
            except PermitDriftError as error:
                log.exception("permits drifted from attempts; loading again", error=str(error))
                self._stopping.wait(STANDBY_S)
            except Exception:
                log.exception("dispatcher starts over")
                self._stopping.wait(STANDBY_S)
            finally:
                close_old_connections()
        self._quit()

    def _lead(self) -> None:
        log.info("dispatcher leads", term=self._lease.term)
        feed = LiveFeed(self._fan_out.send)
        leader = Leader(self._lease, self._bus, feed, self._clock)
        try:
            while not self._stopping.is_set() and self._lease.is_trusted():
                leader.step(timeout_s=0.5)
                self._presence.tell()
        finally:
            leader.close()

    def _abstain(self) -> None:
        """Let the others ask for the lease first."""
        self._release()
        self._stopping.wait(3 * STANDBY_S)

    def _release(self) -> None:
        try:
            self._lease.release()
        except DatabaseError as error:
            log.warning("lease not released", error=str(error))

    def _quit(self) -> None:
        self._release()  # first: a chore may take longer than whoever ends us waits
        self._presence.leave()
        connection.close()
        self._chores.stop()
        self._fan_out.close()

    def stop(self) -> None:
        """Ask `run` to return soon; may be called from any thread."""
        self._stopping.set()
        self._bus.wake()
