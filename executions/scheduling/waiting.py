"""What queued tasks wait for, now and in all: reasons per demand, seconds per task and per run.

A demand's reasons change rarely, so seconds are running totals of the demand: what one task
waited is the difference between the total when it left and when it came. A second waited for
several things at once is split evenly in the task's own waits (they sum to its waiting time) and
counted in full for each in the run's `waited`.
"""

from __future__ import annotations

from collections.abc import Mapping

from executions.scheduling.admission import Admission
from executions.scheduling.messages import WaitChange, make
from executions.scheduling.model import Hold, TaskState
from executions.scheduling.runs import NOTHING, Demand, ExecutionRun, TaskRun


def enter(run: TaskRun, now: float) -> None:
    """The task run joins its demand's queue; call before it is counted there."""
    demand = run.demand
    if demand.totals_at < now:
        _advance(demand, now)
    entered = demand.snapshot
    if entered is None:
        entered = demand.snapshot = dict(demand.totals)
    run.entered = entered


def leave(run: TaskRun, now: float) -> None:
    """The task run leaves its demand's queue; call before it is counted out there."""
    demand = run.demand
    if demand.totals_at < now:
        _advance(demand, now)
    entered = run.entered
    if demand.snapshot is not entered:
        waits = {
            key: seconds
            for key, total in demand.totals.items()
            if (seconds := total - entered.get(key, 0.0)) > 0
        }
        for key, seconds in run.waits.items():
            waits[key] = waits.get(key, 0.0) + seconds
        run.waits = waits
    run.entered = NOTHING


def back_off(run: TaskRun, seconds: float) -> None:
    """The task run waited so long for its next attempt to be due."""
    waits = run.waits = dict(run.waits)
    _add(waits, Hold.BACKOFF, seconds)
    run.execution.waited_s[Hold.BACKOFF,] += seconds


def owe(run: TaskRun, keys: tuple[str, ...], seconds: float) -> None:
    """Book what a queued task run waited before the machine took its execution up again."""
    totals = run.demand.totals
    run.entered = {**totals, **{key: totals[key] - seconds / len(keys) for key in keys}}


def owe_in_all(execution: ExecutionRun, keys: tuple[str, ...], seconds: float) -> None:
    """Book the same in the execution's totals."""
    execution.waited_s[keys] += seconds


def settle(admission: Admission, now: float) -> tuple[WaitChange, ...]:
    """Find what every demand that may be concerned waits for now; answer what changed."""
    concerned = _concerned_by_limits(admission)
    is_any_reserved = admission.reservations > 0
    changes = []
    for demand in admission.touched:
        if demand in concerned:
            continue
        if demand.keys and demand.queued and not is_any_reserved:
            if demand.queued != demand.queued_told:
                demand.queued_told = demand.queued
                changes.append(wait_change(demand))
        elif demand.keys or demand.queued:
            concerned[demand] = None
    for demand in concerned:
        keys, reserved_for = reasons(demand) if is_any_reserved else (shortages(demand), "")
        if keys != demand.keys:
            _change_keys(demand, keys, now)
        elif demand.queued == demand.queued_told and reserved_for == demand.reserved_for:
            continue
        demand.reserved_for = reserved_for
        demand.queued_told = demand.queued
        changes.append(wait_change(demand))
    admission.dirty.clear()
    admission.touched.clear()
    return tuple(changes)


def _concerned_by_limits(admission: Admission) -> dict[Demand, None]:
    """Demands that wait for a limit, or for a reservation of it, which is not as it was."""
    concerned: dict[Demand, None] = {}
    for limit in admission.dirty:
        if limit.free != limit.seen or limit.is_kept:
            concerned.update(limit.look_again())
    if admission.reservations:
        for demand in list(admission.touched):
            for limit in demand.reserved:
                concerned.update(dict.fromkeys(limit.waiting()))
    return concerned


def wait_change(demand: Demand) -> WaitChange:
    """What the demand waits for now, as it is told to others."""
    return make(
        WaitChange,
        (
            demand.execution.id,
            demand.number,
            demand.keys,
            demand.queued,
            demand.keys_since,
            demand.reserved_for,
        ),
    )


def shortages(demand: Demand) -> tuple[str, ...]:
    """The limits that have no room for the demand's tasks.

    A hold comes before all limits: while it lasts, room would not help.
    """
    if not demand.queued:
        return ()
    for gate in demand.gates:
        if gate.free <= 0:
            return (gate.key,)
    return tuple([line.key for line in demand.lines if line.is_short])


def reasons(demand: Demand) -> tuple[tuple[str, ...], str]:
    """All that the demand's tasks wait for, and the task a reservation in their way is for."""
    keys = shortages(demand)
    if not demand.queued or any(gate.free <= 0 for gate in demand.gates):
        return keys, ""
    reserved_for = ""
    for limit, amount, exclusive, _ in demand.needs:
        if limit.kept_for and limit.has_room(amount, exclusive):
            keeper = limit.keeper(demand, amount, exclusive=exclusive)
            head = keeper.head() if keeper is not None else None
            if head is not None:
                reserved_for = head.id
    return ((*keys, Hold.RESERVED) if reserved_for else keys), reserved_for


def totals(execution: ExecutionRun, now: float) -> tuple[dict[str, float], dict[str, float]]:
    """(`alone`, `waited`) of the execution up to now."""
    alone = dict(execution.alone_s)
    for key, (_, since) in execution.alone_now.items():
        _add(alone, key, now - since)
    waited: dict[str, float] = {}
    for demand in execution.demands:
        for key in demand.keys:
            _add(waited, key, demand.queued * (now - demand.totals_at))
    for keys, seconds in execution.waited_s.items():
        for key in keys:
            _add(waited, key, seconds)
    return alone, waited


def waits_so_far(run: TaskRun, now: float) -> dict[str, float]:
    """What the task run has waited up to now."""
    waits = dict(run.waits)
    if run.state is TaskState.QUEUED:
        for key, total in _totals_at(run.demand, now).items():
            _add(waits, key, total - run.entered.get(key, 0.0))
    elif run.state is TaskState.RETRYING:
        _add(waits, Hold.BACKOFF, now - run.since)
    return waits


def _totals_at(demand: Demand, now: float) -> Mapping[str, float]:
    """The demand's seconds by key at `now`."""
    totals = dict(demand.totals)
    for key in demand.keys:
        _add(totals, key, (now - demand.totals_at) / len(demand.keys))
    return totals


def _advance(demand: Demand, now: float) -> None:
    """Bring the demand's sums up to a later `now`, before its keys or its queue change."""
    if keys := demand.keys:
        elapsed = now - demand.totals_at
        demand.execution.waited_s[keys] += demand.queued * elapsed
        demand.snapshot = None
        totals = demand.totals
        elapsed /= len(keys)
        for key in keys:
            totals[key] += elapsed
    demand.totals_at = now


def _change_keys(demand: Demand, keys: tuple[str, ...], now: float) -> None:
    """From now on the demand waits for something else. Much of the cost of a decision is here."""
    if demand.totals_at < now:
        _advance(demand, now)
    execution, before = demand.execution, demand.keys
    if not before:
        _join_waiting(demand)
    elif len(before) == 1:
        _end_alone(execution, before[0], now)
    if len(keys) == 1:
        count, since = execution.alone_now.get(keys[0], (0, now))
        execution.alone_now[keys[0]] = (count + 1, since)
    elif not keys:
        _leave_waiting(demand)
    demand.keys = keys
    demand.keys_since = now


def _join_waiting(demand: Demand) -> None:
    for line in demand.lines:
        line.waiting[demand] = None
    for gate in demand.gates:
        gate.line(1, exclusive=False).waiting[demand] = None


def _leave_waiting(demand: Demand) -> None:
    for line in demand.lines:
        del line.waiting[demand]
    for gate in demand.gates:
        del gate.line(1, exclusive=False).waiting[demand]


def _end_alone(execution: ExecutionRun, key: str, now: float) -> None:
    count, since = execution.alone_now.pop(key)
    if count > 1:
        execution.alone_now[key] = (count - 1, since)
    else:
        _add(execution.alone_s, key, now - since)


def _add(sums: dict[str, float], key: str, seconds: float) -> None:
    if seconds > 0:
        sums[key] = sums.get(key, 0.0) + seconds
