"""What queued tasks wait for, now and in all: reasons per demand, seconds per task and per run.

A demand's reasons change rarely, so seconds are running totals of the demand: what one task
waited is the difference between the total when it left and when it came. A second waited for
several things at once is split evenly in the task's own waits (they sum to its waiting time) and
counted in full for each in the run's `waited`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from executions.scheduling.admission import Admission
from executions.scheduling.capacity import RESERVED
from executions.scheduling.messages import WaitChange, make
from executions.scheduling.model import Hold, TaskState
from executions.scheduling.runs import NEVER_ENTERED, Demand, ExecutionRun, Lack, TaskRun


def enter(run: TaskRun, now: float) -> None:
    """The task run joins its demand's queue; call before it is counted there."""
    demand = run.demand
    if demand.unbooked or demand.lack_since < now:
        _advance(demand, now)
    entered = demand.snapshot
    if entered is None:
        entered = demand.snapshot = demand.totals.copy()
    run.entered = entered


def leave(run: TaskRun, now: float) -> None:
    """The task run leaves its demand's queue; call before it is counted out there."""
    demand = run.demand
    if demand.unbooked or demand.lack_since < now:
        _advance(demand, now)
    if demand.snapshot is not run.entered:
        waits = dict(run.waits)
        totals, entered, reasons = demand.totals, run.entered, demand.reasons
        for place in demand.places:
            if (seconds := totals[place] - entered[place]) > 0:
                key = reasons[place]
                waits[key] = waits[key] + seconds if key in waits else seconds
        run.waits = waits
    run.entered = NEVER_ENTERED


def back_off(run: TaskRun, seconds: float) -> None:
    """The task run waited so long for its next attempt to be due."""
    waits = run.waits = dict(run.waits)
    _add(waits, Hold.BACKOFF, seconds)
    run.execution.waited_s[Hold.BACKOFF] += seconds


def owe(run: TaskRun, keys: tuple[str, ...], seconds: float) -> None:
    """Book what a queued task run waited before the machine took its execution up again."""
    demand = run.demand
    run.entered = demand.totals.copy()
    for key in keys:
        run.entered[demand.reasons.index(key)] -= max(seconds, 0.0) / len(keys)


def settle_debts(taken_up: Iterable[TaskRun], now: float) -> None:
    """Book what task runs waited before they were taken up: for what they wait for now.

    Those that start at once waited for the recovery. The execution's own sums go on from where
    they were made last.
    """
    for run in taken_up:
        execution, lack = run.execution, run.demand.lack
        keys = lack.keys if run.state is TaskState.QUEUED else ()
        if keys:
            owe(run, keys, now - run.since)
        begun = run.since if execution.summed_at is None else max(run.since, execution.summed_at)
        unsummed_s = max(now - begun, 0.0)
        for key in keys or (Hold.RECOVERY,):
            execution.waited_s[key] += unsummed_s
        if lack.alone is not None and keys:  # of several at once the longest
            lack.alone.since = min(lack.alone.since, begun)


def settle(admission: Admission, now: float) -> None:
    """Find what every demand that may be concerned waits for from now on.

    Much of the cost of a decision is here.
    """
    short = admission.board.short
    concerned = _concerned(admission)
    is_any_kept = bool(admission.kept)
    for demand in concerned:
        if is_any_kept:
            lack = reasons(demand, short)[0]
        else:
            lacking = demand.mask & short if demand.queued else 0
            lack = demand.by_short.get(lacking) or demand.lacking(lacking)
        before = demand.lack
        if lack is not before:
            before.seconds += now - demand.lack_since
            demand.unbooked[before] = None
            demand.lack = lack
            demand.lack_since = demand.keys_since = now
            if not (before.keys and lack.keys):
                _begin_or_end(demand)
            if alone := before.alone:
                alone.demands -= 1
                if not alone.demands:
                    alone.seconds += now - alone.since
            if alone := lack.alone:
                if not alone.demands:
                    alone.since = now
                alone.demands += 1
    admission.untold.update(concerned)


def tell(admission: Admission) -> tuple[WaitChange, ...]:
    """What demands wait for now, where that is not what was told of them last."""
    changes = []
    for demand in admission.untold:
        change = wait_change(demand)
        if change != demand.told:
            demand.told = change
            changes.append(change)
    admission.untold = {}
    return tuple(changes)


def _concerned(admission: Admission) -> dict[Demand, None]:
    """Those whose queue changed, and all that wait where a line has room now and had none."""
    concerned, lines = admission.touched, admission.board.lines
    admission.touched = {}
    turned = admission.board.short ^ admission.settled
    admission.settled = admission.board.short
    while turned:
        bit = turned & -turned
        turned ^= bit
        if bit in lines:
            concerned.update(lines[bit].waiting)
    if admission.kept:
        _add_concerned_by_reservations(admission, concerned)
    return concerned


def _add_concerned_by_reservations(admission: Admission, concerned: dict[Demand, None]) -> None:
    """Add all that wait for a limit that is kept for somebody, or was, and is not as it was."""
    for demand in list(concerned):
        for limit in demand.reserved:
            concerned.update(dict.fromkeys(limit.waiting()))
    for limit, seen in list(admission.kept.items()):
        if limit.free != seen:
            concerned.update(dict.fromkeys(limit.waiting()))
            if limit.kept_for:
                admission.kept[limit] = limit.free
            else:
                del admission.kept[limit]


def wait_change(demand: Demand) -> WaitChange:
    """What the demand waits for now, as it is told to others."""
    keys = demand.lack.keys
    reserved_for = ""
    if Hold.RESERVED in keys:
        reserved_for = reasons(demand, demand.execution.board.short)[1]
    return make(
        WaitChange,
        (
            demand.execution.id,
            demand.number,
            keys,
            demand.queued,
            demand.keys_since,
            reserved_for,
        ),
    )


def counts(executions: Iterable[ExecutionRun]) -> Counter[str]:
    """How many task runs wait for a thing now, by LimitKey or Hold."""
    found = Counter[str]()
    for execution in executions:
        for demand in execution.demands:
            for key in demand.lack.keys:
                found[key] += demand.queued
    return found


def reasons(demand: Demand, short: int) -> tuple[Lack, str]:
    """All that the demand's tasks wait for, and the task a reservation in their way is for."""
    if not demand.queued:
        return demand.lacking(0), ""
    lacking = demand.mask & short
    reserved_for = ""
    if all(gate.free > 0 for gate in demand.gates):
        for line, (limit, amount, exclusive) in zip(demand.need_lines, demand.needs, strict=True):
            if limit.kept_for and not line.bit & short:
                keeper = limit.keeper(demand, amount, exclusive=exclusive)
                head = keeper.head() if keeper is not None else None
                if head is not None:
                    reserved_for = head.id
    return demand.lacking(lacking | RESERVED if reserved_for else lacking), reserved_for


def totals(execution: ExecutionRun, now: float) -> tuple[dict[str, float], dict[str, float]]:
    """(`alone`, `waited`) of the execution up to now."""
    alone: dict[str, float] = {}
    for key, one in execution.alones.items():
        _add(alone, key, one.seconds + (now - one.since if one.demands else 0.0))
    waited: dict[str, float] = {}
    for key, seconds in execution.waited_s.items():
        _add(waited, key, seconds)
    for demand in execution.demands:
        for lack in demand.lacks:
            task_s = lack.task_s + demand.queued * _unbooked_s(demand, lack, now)
            for key in lack.keys:
                _add(waited, key, task_s)
    return alone, waited


def waits_so_far(run: TaskRun, now: float) -> dict[str, float]:
    """What the task run has waited up to now."""
    waits = dict(run.waits)
    if run.state is TaskState.QUEUED:
        demand = run.demand
        for key, total, before in zip(demand.reasons, demand.totals, run.entered, strict=True):
            _add(waits, key, total - before)
        for lack in demand.lacks:
            for key in lack.keys:
                _add(waits, key, _unbooked_s(demand, lack, now) * lack.part)
    elif run.state is TaskState.RETRYING:
        _add(waits, Hold.BACKOFF, now - run.since)
    return waits


def _unbooked_s(demand: Demand, lack: Lack, now: float) -> float:
    """How long the demand lacked that since its sums were last brought up to date."""
    return lack.seconds + (now - demand.lack_since if lack is demand.lack else 0.0)


def _advance(demand: Demand, now: float) -> None:
    """Bring the demand's sums up to date, before its queue changes."""
    lack, queued, totals = demand.lack, demand.queued, demand.totals
    lack.seconds += now - demand.lack_since
    demand.lack_since = now
    demand.unbooked[lack] = None
    for lack in demand.unbooked:
        seconds = lack.seconds
        lack.seconds = 0.0
        lack.task_s += queued * seconds
        seconds *= lack.part
        for place in lack.places:
            totals[place] += seconds
    demand.unbooked = {}
    demand.snapshot = None


def _begin_or_end(demand: Demand) -> None:
    """The demand waits for something now, or for nothing any more."""
    for line in demand.lines:
        if demand.lack.keys:
            line.waiting[demand] = None
        else:
            del line.waiting[demand]


def _add(sums: dict[str, float], key: str, seconds: float) -> None:
    if seconds > 0:
        sums[key] = sums.get(key, 0.0) + seconds
