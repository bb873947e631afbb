"""From messages and command rows to the brain's events; whatever names no live attempt is dropped.

A message is a hint: duplicates, late and reordered ones end here, at the token.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from executions.dispatch.bus import Message
from executions.dispatch.reports import LINE_LIMIT
from executions.dispatch.roster import Roster
from executions.dispatch.rows import Row
from executions.dispatch.store import AttemptAddress, Ending, Store
from executions.models import Command, CommandVerb
from executions.scheduling.messages import (
    AttemptCancelled,
    AttemptCompleted,
    AttemptFailed,
    AttemptLost,
    AttemptReturned,
    AttemptStarted,
    AttemptTimedOut,
    CancelRequested,
    Event,
    PauseRequested,
    ResumeRequested,
)
from executions.scheduling.model import Reason

RUN_EVENTS: Mapping[str, Callable[[str], Event]] = {
    CommandVerb.CANCEL: CancelRequested,
    CommandVerb.PAUSE: PauseRequested,
    CommandVerb.RESUME: ResumeRequested,
}


@dataclass(slots=True)
class Batch:
    """What one cycle has to decide on, and what it must answer once that is committed."""

    events: list[Event] = field(default_factory=list)
    endings: dict[tuple[str, str, int], Ending] = field(default_factory=dict)
    progress: dict[str, Row] = field(default_factory=dict)
    confirmed: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """Tokens by worker whose end may be forgotten there."""
    handled: list[int] = field(default_factory=list)
    ended: set[str] = field(default_factory=set)
    """Tokens whose end is among the events."""
    closed: list[AttemptAddress] = field(default_factory=list)
    """Attempts closed by force, that their workers must be told to stop."""
    must_look: bool = False
    """Somebody says that there is news in the database."""


def take_messages(
    batch: Batch, messages: Iterable[Message], store: Store, roster: Roster, now: float
) -> None:
    """Add what workers report."""
    for message in messages:
        if message["type"] == "wake":
            continue
        heard_at = message.get("heard_at", now)
        offset = roster.offset_s(message["worker"], message["at"], heard_at)
        for report in message["reports"]:
            _take_report(batch, message["worker"], report, store, offset=offset, now=now)


def _take_report(
    batch: Batch, worker: str, report: Message, store: Store, *, offset: float, now: float
) -> None:
    token = report["token"]
    kind = report["kind"]
    if kind not in ("started", "progress"):
        batch.confirmed[worker].append(token)
        batch.ended.add(token)
    address = store.attempts.get(token)
    if address is None or address.worker != worker:
        return
    if kind == "started":
        at = max(min(report["started_at"] + offset, now), address.dispatched_at)
        batch.events.append(AttemptStarted(*address.key, at))
    elif kind == "progress":
        batch.progress[token] = {
            "progress": report["percent"],
            "progress_line": report["line"][:LINE_LIMIT],
        }
    elif kind == "returned":
        batch.events.append(AttemptReturned(*address.key, started=report["started_at"] is not None))
    elif kind == "lost":
        batch.events.append(AttemptLost(*address.key))
    else:
        _take_end(batch, report, address, offset=offset, now=now)


def _take_end(
    batch: Batch, report: Message, address: AttemptAddress, *, offset: float, now: float
) -> None:
    key, kind = address.key, report["kind"]
    if report["started_at"] is None:  # stopped before it began
        batch.events.append(AttemptCancelled(*key, None, now))
        return
    run_s = max(report["run_s"], 0.0)
    finished = min(report["started_at"] + offset + run_s, now)
    started = max(finished - run_s, address.dispatched_at)
    finished = max(finished, started)
    batch.endings[key] = Ending(report.get("result"), report.get("exit_code"))
    if kind == "completed":
        batch.events.append(AttemptCompleted(*key, started, finished))
    elif kind == "timed_out":
        batch.events.append(AttemptTimedOut(*key, started, finished))
    elif kind == "cancelled":
        batch.events.append(AttemptCancelled(*key, started, finished))
    else:
        batch.events.append(
            AttemptFailed(
                *key,
                started,
                finished,
                report.get("error") or "failed",
                Reason.ERROR,
                report.get("retryable", True),
            )
        )


def take_commands(batch: Batch, commands: Iterable[Command], store: Store, now: float) -> None:
    """Add what people ask for."""
    names = {e.pk: e.public_id for e in store.executions.values()}
    for command in commands:
        batch.handled.append(command.pk)
        if command.attempt is not None:
            address = store.attempts.get(command.attempt.token)
            if address is not None:
                _take_work(batch, command, address, now)
        elif command.execution_id in names:
            batch.events.append(RUN_EVENTS[command.verb](names[command.execution_id]))


def _take_work(batch: Batch, command: Command, address: AttemptAddress, now: float) -> None:
    """Add what somebody did with external work, or the forced end of an attempt."""
    key = address.key
    at = max(min(command.at.timestamp(), now), address.dispatched_at)
    begun = address.started_at if address.started_at is not None else at
    if command.verb == CommandVerb.CLAIM:
        batch.events.append(AttemptStarted(*key, at))
    elif command.verb == CommandVerb.COMPLETE:
        batch.endings[key] = Ending(command.payload.get("result"))
        batch.events.append(AttemptCompleted(*key, begun, max(at, begun)))
    elif command.verb == CommandVerb.FAIL:
        error = str(command.payload.get("error") or "failed")
        batch.events.append(AttemptFailed(*key, begun, max(at, begun), error))
    elif command.verb == CommandVerb.HAND_BACK:
        batch.events.append(AttemptReturned(*key, started=True))
    elif command.verb == CommandVerb.FORCE_CLOSE:
        batch.closed.append(address)
        batch.events.append(AttemptLost(*key))
