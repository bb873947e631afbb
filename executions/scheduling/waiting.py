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
        waits = dict(run.waits)
        for key, total in demand.totals.items():
            seconds = total - entered.get(key, 0.0)
            if seconds > 0:
                waits[key] = waits.get(key, 0.0) + seconds
        run.waits = waits
    run.entered = NOTHING


def back_off(run: TaskRun, seconds: float) -> None:
    """The task run waited so long for its next attempt to be due."""
    waits = run.waits = dict(run.waits)
    _add(waits, Hold.BACKOFF, seconds)
    _add(run.execution.waited_s, Hold.BACKOFF, seconds)


def owe(run: TaskRun, keys: tuple[str, ...], seconds: float) -> None:
    """Book what a queued task run waited before the machine took its execution up again."""
    totals = run.demand.totals
    run.entered = {**totals, **{key: totals[key] - seconds / len(keys) for key in keys}}


def owe_in_all(execution: ExecutionRun, keys: tuple[str, ...], seconds: float) -> None:
    """Book the same in the execution's totals."""
    for key in keys:
        _add(execution.waited_s, key, seconds)


def settle(admission: Admission, now: float) -> tuple[WaitChange, ...]:
    """Find what every demand that may be concerned waits for now; answer what changed."""
    changes = []
    concerned = _concerned_by_limits(admission)
    for demand in admission.touched:
        if demand in concerned:
            continue
        if demand.keys and demand.queued and not admission.reservations:
            if demand.queued != demand.queued_told:
                demand.queued_told = demand.queued
                changes.append(wait_change(demand))
        elif demand.keys or demand.queued:
            concerned[demand] = None
    for demand in concerned:
        keys, reserved_for = reasons(demand)
        if keys != demand.keys:
            _change_keys(demand, keys, now)
        elif demand.queued == demand.queued_told and reserved_for == demand.reserved_for:
            continue
        demand.reserved_for = reserved_for
        demand.queued_told = demand.queued
        changes.append(wait_change(demand))
    admission.dirty, admission.touched = {}, {}
    return tuple(changes)


def _concerned_by_limits(admission: Admission) -> dict[Demand, None]:
    """Demands that wait for a limit, or for a reservation of it, which is not as it was."""
    concerned: dict[Demand, None] = {}
    for limit in admission.dirty:
        state = limit.state()
        if state != limit.seen:
            limit.seen = state
            concerned.update(limit.waiting)
    if admission.reservations:
        for demand in list(admission.touched):
            for limit in demand.reserved:
                concerned.update(limit.waiting)
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


def reasons(demand: Demand) -> tuple[tuple[str, ...], str]:
    """All that the demand's tasks wait for, and the task a reservation in their way is for.

    A hold comes before all limits: while it lasts, room would not help.
    """
    if not demand.queued:
        return (), ""
    for gate in demand.gates:
        if gate.free <= 0:
            return (gate.key,), ""
    keys: list[str] = []
    reserved_for = ""
    for limit, amount, exclusive in demand.needs:
        if amount > limit.free or (exclusive and not limit.has_room(amount, exclusive)):
            keys.append(limit.key)
        elif limit.kept_for:
            keeper = limit.keeper(demand, amount, exclusive=exclusive)
            head = keeper.head() if keeper is not None else None
            if head is not None:
                reserved_for = head.id
    if reserved_for:
        keys.append(Hold.RESERVED)
    return tuple(keys), reserved_for


def totals(execution: ExecutionRun, now: float) -> tuple[dict[str, float], dict[str, float]]:
    """(`alone`, `waited`) of the execution up to now."""
    alone = dict(execution.alone_s)
    for key, (_, since) in execution.alone_now.items():
        _add(alone, key, now - since)
    waited = dict(execution.waited_s)
    for demand in execution.demands:
        area = demand.area + demand.queued * (now - demand.totals_at)
        for key in demand.keys:
            _add(waited, key, area)
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
    """Bring the demand's sums up to `now`, before its keys or the count of its tasks change."""
    elapsed = now - demand.totals_at
    if elapsed > 0:
        demand.totals_at = now
        if keys := demand.keys:
            demand.area += demand.queued * elapsed
            demand.snapshot = None
            totals = demand.totals
            elapsed /= len(keys)
            for key in keys:
                totals[key] += elapsed


def _change_keys(demand: Demand, keys: tuple[str, ...], now: float) -> None:
    """From now on the demand waits for something else. Most of the cost of a decision is here."""
    execution, before = demand.execution, demand.keys
    _advance(demand, now)
    if before and demand.area:
        area, waited_s = demand.area, execution.waited_s
        demand.area = 0.0
        for key in before:
            waited_s[key] += area
    if len(before) == 1:
        _end_alone(execution, before[0], now)
    if len(keys) == 1:
        key = keys[0]
        count, since = execution.alone_now.get(key, (0, now))
        execution.alone_now[key] = (count + 1, since)
    if not before:
        _join_waiting(demand)
    elif not keys:
        _leave_waiting(demand)
    demand.keys = keys
    demand.keys_since = now


def _join_waiting(demand: Demand) -> None:
    for limit in demand.limits:
        limit.waiting[demand] = None
    for gate in demand.gates:
        gate.waiting[demand] = None


def _leave_waiting(demand: Demand) -> None:
    for limit in demand.limits:
        del limit.waiting[demand]
    for gate in demand.gates:
        del gate.waiting[demand]


def _end_alone(execution: ExecutionRun, key: str, now: float) -> None:
    count, since = execution.alone_now.pop(key)
    if count > 1:
        execution.alone_now[key] = (count - 1, since)
    else:
        _add(execution.alone_s, key, now - since)


def _add(sums: dict[str, float], key: str, seconds: float) -> None:
    if seconds > 0:
        sums[key] = sums.get(key, 0.0) + seconds
