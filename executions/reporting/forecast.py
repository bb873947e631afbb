"""Forecasts of stored groups and executions: under today's limits, or under others.

Decided by the same Machine as the real runs; see scheduling/planning.py and whatif.py.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from statistics import median
from typing import Final

from django.db.models import Sum
from django.utils import timezone

from executions.models import Attempt, Execution, TaskGroup, TaskRun, WorkerProcess
from executions.models.snapshots import group_of, orders_of, progress_of, site_limits
from executions.reporting.log import ExecutionLog, attempt_records, execution_log
from executions.scheduling.conditions import Conditions
from executions.scheduling.estimates import DurationSource, estimates, with_estimates
from executions.scheduling.model import (
    OPEN_EXECUTION_STATES,
    ExecutionState,
    LimitKey,
    TaskState,
)
from executions.scheduling.needs import unneeded
from executions.scheduling.planning import Plan, plan
from executions.scheduling.search import BetterOrder, planned_order
from executions.scheduling.simulation import SimulationStalled
from executions.scheduling.whatif import WhatIf, expected_end, what_if
from executions.specs import TaskGroupSpec, limits_with
from executions.specs import group_of as group_of_spec

TASKS_LIMIT: Final = 20_000
"""More tasks are not forecast while somebody waits for the answer."""
HISTORY_RUNS: Final = 20
WORTH_PLANNING_S: Final = 5.0
"""Shorter runs are over before a search would pay."""


GUESSES: Final = frozenset({DurationSource.GROUP, DurationSource.DEFAULT})


class TooLargeError(Exception):
    """The group has too many tasks for a forecast while you wait: use the command line."""


def is_guessed(sources: Sequence[str]) -> bool:
    """Whether nothing is known of how long most of the tasks take."""
    return sources.count(DurationSource.DEFAULT) > len(sources) / 2


def order_for(conditions: Conditions, sources: Sequence[str]) -> BetterOrder | None:
    """The order a run is planned with: None where durations are guessed or it is too short."""
    if is_guessed(sources):
        return None
    return planned_order(conditions, now=time.monotonic, worth_s=WORTH_PLANNING_S)


def worker_slots() -> int | None:
    """Slots of all workers there are; None: there are none, so forecast as if there were enough."""
    return WorkerProcess.objects.filter(gone_at=None).aggregate(n=Sum("slots"))["n"] or None


def history_s(group: TaskGroup) -> dict[str, float]:
    """The median run time of each task in the group's recent runs, by task id."""
    recent = group.executions.order_by("-id").values_list("id", flat=True)[:HISTORY_RUNS]
    rows = TaskRun.objects.filter(
        execution__in=list(recent), state=TaskState.COMPLETED, started_at__isnull=False
    ).values_list("task_id", "started_at", "finished_at")
    found: dict[str, list[float]] = {}
    for task_id, started_at, finished_at in rows:
        if started_at is not None and finished_at is not None:
            found.setdefault(task_id, []).append((finished_at - started_at).total_seconds())
    return {task_id: median(seconds) for task_id, seconds in found.items()}


def group_plan(
    spec: TaskGroupSpec,
    *,
    group: TaskGroup | None = None,
    changes: Mapping[LimitKey, int] | None = None,
    tasks_limit: int | None = TASKS_LIMIT,
) -> Plan:
    """The plan of a spec; with `group`, durations are learned from its past runs.

    Raises TooLargeError.
    """
    if tasks_limit is not None and len(spec.tasks) > tasks_limit:
        raise TooLargeError
    slots = worker_slots()
    conditions = Conditions(group_of_spec(spec), limits_with(spec, site_limits()), slots)
    conditions = conditions.with_limits(changes or {})
    learned = history_s(group) if group else None
    estimated = with_estimates(conditions.group, estimates(conditions.group, learned))
    found = plan(
        conditions.group,
        limits=conditions.limits,
        history_s=learned,
        worker_slots=conditions.worker_slots,
        order=planned_order(replace(conditions, group=estimated), now=time.monotonic),
    )
    return replace(found, unneeded=unneeded(conditions.group, changes or ()))


def execution_expected_end(
    execution: Execution, *, tasks_limit: int | None = TASKS_LIMIT
) -> datetime | None:
    """When an open execution will end if it goes on as so far.

    None: it is over, it cannot end, nothing is known yet of how long its tasks take, or all that
    is left goes on for longer than anything known. Raises TooLargeError.
    """
    if ExecutionState(execution.state) not in OPEN_EXECUTION_STATES:
        return None
    if tasks_limit is not None and execution.total > tasks_limit:
        raise TooLargeError
    log = execution_log(execution)
    now = timezone.now()
    live = {row: tries[-1] for row, tries in log.attempts.items() if not tries[-1].released_at}
    actual_s = {
        row.task_id: (row.finished_at - row.started_at).total_seconds()
        for row in log.task_runs
        if row.state == TaskState.COMPLETED and row.started_at and row.finished_at
    }
    if not actual_s and is_guessed([row.duration_source for row in log.task_runs]):
        return None
    try:
        end = expected_end(
            group_of(execution, log.task_runs),
            progress_of(execution, log.task_runs, live),
            actual_s,
            limits=site_limits(),
            now=now.timestamp(),
            worker_slots=worker_slots(),
            guessed={row.task_id for row in log.task_runs if row.duration_source in GUESSES},
        )
    except SimulationStalled:
        return None
    if _outlasts(log, live, [*actual_s.values(), end - now.timestamp()], now):
        return None
    return datetime.fromtimestamp(end, UTC)


def _outlasts(
    log: ExecutionLog, live: Mapping[int, Attempt], known_s: Iterable[float], now: datetime
) -> bool:
    """Whether a task whose length nobody told has run for longer than all of these."""
    longest_s = max(known_s)
    return any(
        row.duration_source in GUESSES
        and (attempt := live.get(row.pk)) is not None
        and attempt.started_at is not None
        and (now - attempt.started_at).total_seconds() > longest_s
        for row in log.task_runs
    )


def execution_what_if(
    execution: Execution,
    changes: Mapping[LimitKey, int],
    *,
    tasks_limit: int | None = TASKS_LIMIT,
) -> WhatIf:
    """What the execution would have taken under changed limits, planned for them if it was.

    Raises TooLargeError, SimulationStalled where a change closes what is needed.
    """
    if tasks_limit is not None and execution.total > tasks_limit:
        raise TooLargeError
    log = execution_log(execution)
    real_s = None
    if execution.state == ExecutionState.COMPLETED and execution.started_at:
        assert execution.completed_at is not None
        real_s = (execution.completed_at - execution.started_at).total_seconds()
    return what_if(
        group_of(execution, log.task_runs),
        attempt_records(log),
        limits=site_limits(),
        changes=changes,
        now=timezone.now().timestamp(),
        worker_slots=worker_slots(),
        real_s=real_s,
        orders=orders_of(execution.plan, [row.task_id for row in log.task_runs]),
        order=lambda changed: order_for(changed, [row.duration_source for row in log.task_runs]),
    )
