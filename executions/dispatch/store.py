"""Between the brain and the tables: load an open execution, commit a decision in one transaction.

The store remembers keys (rows, tokens, frame numbers) of what is open, never states that the
machine holds. After a failed commit both are thrown away and loaded again.
"""

from __future__ import annotations

import secrets
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from django.db import transaction

from executions.dispatch.lease import Lease
from executions.dispatch.reports import ERROR_LIMIT
from executions.dispatch.rows import Row, Table, statements
from executions.models import Attempt, AttemptOutput, Command, Demand, Execution, TaskRun
from executions.models.snapshots import group_of, progress_of
from executions.scheduling.messages import (
    CloseExecution,
    Decision,
    Dispatch,
    ExecutionSubmitted,
    ExecutionTransition,
    StopAttempt,
    Transition,
    WaitChange,
)
from executions.scheduling.model import (
    FINAL_EXECUTION_STATES,
    FINAL_TASK_STATES,
    LIVE_ATTEMPT_STATES,
    OPEN_EXECUTION_STATES,
    AttemptState,
    ExecutionState,
    TaskState,
)

Sums = tuple[Mapping[str, float], Mapping[str, float]]
"""(`alone`, `waited`) of an execution."""
NO_SUMS: Final[Sums] = ({}, {})

AttemptKey = tuple[str, str, int]
"""Execution, task, number: how the brain names an attempt."""


@dataclass(slots=True)
class OpenExecution:
    """Keys of one open execution."""

    pk: int
    public_id: str
    name: str
    seq: int
    total: int
    counts: Counter[str]
    runs: dict[str, tuple[int, int]]
    """Task id to (row key, position)."""


@dataclass(slots=True)
class AttemptAddress:
    """Where a live attempt is and how messages name it."""

    key: AttemptKey
    token: str
    worker: str
    execution_pk: int
    position: int
    dispatched_at: float
    started_at: float | None = None
    is_stopping: bool = False
    sent_at: float = 0.0
    """When its worker was last told, on the dispatcher's monotonic clock."""
    sends: int = 0
    missed: int = 0
    """Heartbeats in a row in which its worker did not know it."""


@dataclass(slots=True)
class Changes:
    """What one commit changed in one execution, as live pages are told. Times are epoch seconds."""

    execution: Row = field(default_factory=dict)
    tasks: dict[int, Row] = field(default_factory=dict)
    demands: dict[int, Row] = field(default_factory=dict)


@dataclass(slots=True)
class Committed:
    """What to send now that a decision is in the database."""

    assignments: defaultdict[str, list[AttemptAddress]]
    stops: defaultdict[str, list[AttemptAddress]]
    changes: dict[str, Changes]
    closed: list[OpenExecution]


@dataclass(frozen=True, slots=True)
class Ending:
    """What a worker says of an ended attempt beyond what the brain needs."""

    result: Any = None
    exit_code: int | None = None


TASK_FRAME_HIDES = frozenset({"result", "failures", "losses"})


class Store:
    """The tables as one leader sees them."""

    def __init__(self, lease: Lease) -> None:
        self._lease = lease
        self.executions: dict[str, OpenExecution] = {}
        self.attempts: dict[str, AttemptAddress] = {}
        self._tokens: dict[AttemptKey, str] = {}
        self._task_runs = Table(TaskRun, ("id",))
        self._attempts = Table(Attempt, ("token",))
        self._executions = Table(Execution, ("id",))
        self._demands = Table(Demand, ("execution_id", "number"))
        self._commands = Table(Command, ("id",))

    # ------------------------------------------------------------ load

    def unknown_open(self) -> list[int]:
        """Keys of open executions that are not loaded, oldest first."""
        known = {e.pk for e in self.executions.values()}
        open_now = Execution.objects.filter(state__in=sorted(OPEN_EXECUTION_STATES))
        return [
            pk for pk in open_now.order_by("id").values_list("id", flat=True) if pk not in known
        ]

    def load(self, pk: int) -> ExecutionSubmitted:
        """Take up an open execution: from its beginning, or where it stands."""
        execution = Execution.objects.get(pk=pk)
        rows = list(TaskRun.objects.filter(execution_id=pk).order_by("position"))
        live = {
            a.task_run_id: a
            for a in Attempt.objects.filter(execution_id=pk, state__in=sorted(LIVE_ATTEMPT_STATES))
        }
        public_id = execution.public_id
        is_new = execution.state == ExecutionState.PENDING
        self.executions[public_id] = OpenExecution(
            pk=pk,
            public_id=public_id,
            name=execution.name,
            seq=execution.seq + 1,
            total=len(rows),
            # to the brain every task of a new execution begins blocked
            counts=Counter(TaskState.BLOCKED if is_new else row.state for row in rows),
            runs={row.task_id: (row.pk, row.position) for row in rows},
        )
        for row in rows:
            if attempt := live.get(row.pk):
                self._remember(
                    AttemptAddress(
                        key=(public_id, row.task_id, attempt.number),
                        token=attempt.token,
                        worker=attempt.worker,
                        execution_pk=pk,
                        position=row.position,
                        dispatched_at=attempt.dispatched_at.timestamp(),
                        started_at=attempt.started_at.timestamp() if attempt.started_at else None,
                    )
                )
        numbers = {row.demand for row in rows}
        Demand.objects.bulk_create(
            [Demand(execution_id=pk, number=n) for n in sorted(numbers)], ignore_conflicts=True
        )
        return ExecutionSubmitted(
            public_id,
            group_of(execution, rows),
            None if is_new else progress_of(execution, rows, live),
        )

    def _remember(self, address: AttemptAddress) -> None:
        self.attempts[address.token] = address
        self._tokens[address.key] = address.token

    def _forget(self, address: AttemptAddress) -> None:
        """Forget an ended attempt; its number may have been given again with another token."""
        self.attempts.pop(address.token, None)
        if self._tokens.get(address.key) == address.token:
            del self._tokens[address.key]

    def address(self, key: AttemptKey) -> AttemptAddress | None:
        """Where a live attempt is; None once it has ended."""
        token = self._tokens.get(key)
        return None if token is None else self.attempts[token]

    # ------------------------------------------------------------ commit

    def commit(
        self,
        decision: Decision,
        *,
        now: float,
        endings: Mapping[AttemptKey, Ending],
        waits: Iterable[WaitChange] = (),
        sums: Mapping[str, Sums] | None = None,
        progress: Mapping[str, Row] | None = None,
        handled: Iterable[int] = (),
    ) -> Committed:
        """Write all of it in one transaction fenced by the term, or raise and change nothing.

        `waits` are those that changed since the last ones written; `sums` what executions waited
        for up to `now`; `progress` are attempts' progress columns by token; `handled` the commands
        that are answered with this.
        """
        write = _Write(self, decision, now, endings)
        write.add_waits(waits)
        for public_id, each in (sums or {}).items():
            write.add_sums(public_id, each)
        write.add_progress(progress or {})
        with transaction.atomic():
            if write.returned:  # what people asked of one that never began is kept without it
                tokens = [token for (token,) in write.returned]
                Command.objects.filter(attempt__token__in=tokens).update(attempt=None)
                # it may have begun and printed unheard, on a worker that is gone
                AttemptOutput.objects.filter(attempt__token__in=tokens).delete()
            with statements() as made:
                self._lease.hold(made)
                self._task_runs.update(made, write.task_runs)
                self._attempts.delete(made, write.returned)
                self._attempts.insert(made, write.new_attempts.values())
                self._attempts.update(made, write.attempts)
                self._executions.update(made, write.execution_rows())
                self._demands.update(made, write.demands)
                self._commands.update(made, {(pk,): {"handled_at": now} for pk in handled})
        for address in write.ended:
            self._forget(address)
        for closed in write.committed.closed:
            self.executions.pop(closed.public_id, None)
        return write.committed


def _new_token(now: float) -> str:
    """A secret of 96 bits behind the time, so that the index of tokens grows at its end."""
    return f"{int(now * 1000) & 0xFFFFFFFF:08x}{secrets.token_hex(12)}"


def _held(t: Transition, task_run: int) -> Row:
    """What pages are told of the slot: when its last attempt took it and gave it back."""
    if t.finish is TaskState.DISPATCHED:
        return {"held_from": t.at, "held_to": None}
    if not t.attempt or t.attempt_state in (None, AttemptState.RUNNING):
        return {}
    if t.attempts == t.attempt:
        return {"held_to": t.at}
    kept = Attempt.objects.filter(task_run_id=task_run, number=t.attempts)  # it never began
    held = kept.values_list("dispatched_at", "released_at").first() or (None, None)
    return dict(zip(("held_from", "held_to"), (at and at.timestamp() for at in held), strict=True))


class _Write:
    """One decision spelt out as rows."""

    def __init__(
        self, store: Store, decision: Decision, now: float, endings: Mapping[AttemptKey, Ending]
    ) -> None:
        self._store = store
        self._endings = endings
        self._now = now
        self.task_runs: dict[tuple[Any, ...], Row] = {}
        self.new_attempts: dict[str, Row] = {}
        self.attempts: dict[tuple[Any, ...], Row] = {}
        self.returned: list[tuple[Any, ...]] = []
        self.demands: dict[tuple[Any, ...], Row] = {}
        self.ended: list[AttemptAddress] = []
        self.committed = Committed(defaultdict(list), defaultdict(list), {}, [])
        self._execution_rows: dict[str, Row] = {}
        workers = {
            (i.execution, i.task, i.attempt): i.worker
            for i in decision.instructions
            if isinstance(i, Dispatch)
        }
        for transition in decision.transitions:
            self._transition(transition, workers)
        for change in decision.executions:
            self._execution_changed(change)
        for instruction in decision.instructions:
            if isinstance(instruction, StopAttempt):
                self._stop(instruction)
            elif isinstance(instruction, CloseExecution):
                self._close(instruction)

    def _changes(self, public_id: str) -> Changes:
        return self.committed.changes.setdefault(public_id, Changes())

    def _transition(self, t: Transition, workers: Mapping[AttemptKey, str]) -> None:
        execution = self._store.executions[t.execution]
        pk, position = execution.runs[t.task]
        execution.counts[t.start] -= 1
        execution.counts[t.finish] += 1
        row: Row = {"state": t.finish.value, "since": t.at}
        if t.waits is not None:
            row["waits"] = dict(t.waits)
        key = (t.execution, t.task, t.attempt)
        if t.finish is TaskState.DISPATCHED:
            row["attempts"] = t.attempts
            self._dispatch(t, key, workers[key], pk, position)
        elif t.attempt:
            row |= self._attempt_changed(t, key)
        if t.finish is TaskState.RETRYING:
            row["not_before"] = t.not_before
        if t.cause:
            row["skipped_because_of"] = t.cause
        if t.finish in FINAL_TASK_STATES or t.reason is not None:
            row["reason"] = t.reason.value if t.reason else ""
            row["error"] = t.error[:ERROR_LIMIT]
        self.task_runs.setdefault((pk,), {}).update(row)
        shown = {k: v for k, v in row.items() if k not in TASK_FRAME_HIDES} | _held(t, pk)
        self._changes(t.execution).tasks.setdefault(position, {}).update(shown)

    def _dispatch(
        self, t: Transition, key: AttemptKey, worker: str, task_run: int, position: int
    ) -> None:
        execution = self._store.executions[t.execution]
        token = _new_token(t.at)
        address = AttemptAddress(key, token, worker, execution.pk, position, t.at)
        self._store._remember(address)  # noqa: SLF001 (one unit with the store)
        self.new_attempts[token] = {
            "task_run_id": task_run,
            "execution_id": execution.pk,
            "number": t.attempt,
            "token": token,
            "worker": worker,
            "state": AttemptState.DISPATCHED.value,
            "dispatched_at": t.at,
        }
        if worker:
            self.committed.assignments[worker].append(address)

    def _attempt_changed(self, t: Transition, key: AttemptKey) -> Row:
        address = self._store.address(key)
        if address is None or t.attempt_state is None:
            return {}
        if t.attempt_state is AttemptState.RUNNING:
            address.started_at = t.started_at if t.started_at is not None else t.at
            started = {"started_at": address.started_at}
            self._update_attempt(address, {"state": t.attempt_state.value, **started})
            return {**started, "finished_at": None}
        self.ended.append(address)
        totals = {"attempts": t.attempts, "failures": t.failures, "losses": t.losses}
        if t.attempts < t.attempt:  # never begun: its number is given again
            self.returned.append((address.token,))
            return totals
        ending = self._endings.get(key, Ending())
        times = {
            "started_at": t.started_at,
            "finished_at": t.finished_at if t.finished_at is not None else t.at,
        }
        self._update_attempt(
            address,
            {
                "state": t.attempt_state.value,
                **times,
                "released_at": t.at,
                "reason": t.reason.value if t.reason else "",
                "error": t.error[:ERROR_LIMIT],
                "exit_code": ending.exit_code,
            },
        )
        return {**totals, **times, "result": ending.result}

    def _update_attempt(self, address: AttemptAddress, row: Row) -> None:
        self.attempts.setdefault((address.token,), {}).update(row)

    def _execution_changed(self, change: ExecutionTransition) -> None:
        row: Row = {"state": change.finish.value}
        if change.start is ExecutionState.PENDING and change.finish is not change.start:
            row["started_at"] = change.at
        if change.stopping_to is not None:
            row["stopping_to"] = change.stopping_to.value
        if change.error:
            row["error"] = change.error
        if change.finish in FINAL_EXECUTION_STATES:
            row["completed_at"] = change.at
            row["outcome"] = change.outcome.value if change.outcome else ""
        self._execution_rows.setdefault(change.execution, {}).update(row)
        self._changes(change.execution).execution.update(row)

    def _stop(self, stop: StopAttempt) -> None:
        address = self._store.address((stop.execution, stop.task, stop.attempt))
        if address is not None and address.worker:
            address.is_stopping = True
            self._update_attempt(address, {"stop_asked_at": self._now})
            self.committed.stops[address.worker].append(address)

    def _close(self, close: CloseExecution) -> None:
        self.add_sums(close.execution, (close.alone, close.waited))
        self.committed.closed.append(self._store.executions[close.execution])

    def add_sums(self, public_id: str, sums: Sums) -> None:
        """Add what the execution waited for up to now."""
        alone, waited = sums
        row = {"alone": dict(alone), "waited": dict(waited), "summed_at": self._now}
        self._execution_rows.setdefault(public_id, {}).update(row)
        self._changes(public_id).execution.update(row)

    def add_waits(self, waits: Iterable[WaitChange]) -> None:
        """Add what demand classes wait for now."""
        for wait in waits:
            execution = self._store.executions.get(wait.execution)
            if execution is None:
                continue
            row: Row = {
                "keys": list(wait.keys),
                "queued": wait.queued,
                "since": wait.since,
                "reserved_for": wait.reserved_for,
            }
            self.demands[(execution.pk, wait.demand)] = row
            self._changes(wait.execution).demands[wait.demand] = row

    def add_progress(self, progress: Mapping[str, Row]) -> None:
        """Add what attempts say of their progress."""
        for token, row in progress.items():
            address = self._store.attempts.get(token)
            if address is not None:
                self._update_attempt(address, row)
                tasks = self._changes(address.key[0]).tasks
                tasks.setdefault(address.position, {}).update(row)

    def execution_rows(self) -> dict[tuple[Any, ...], Row]:
        """A row for each execution touched: its own changes, its counts, its frame number."""
        rows: dict[tuple[Any, ...], Row] = {}
        for public_id, changes in self.committed.changes.items():
            execution = self._store.executions[public_id]
            row = self._execution_rows.get(public_id, {})
            if any("state" in task for task in changes.tasks.values()):
                counts = {state: n for state, n in execution.counts.items() if n}
                row["counts"] = changes.execution["counts"] = counts
            rows[(execution.pk,)] = {**row, "seq": execution.seq}
        return rows
