"""From the rows of an execution to the brain's nouns, and nothing back.

The rows are the snapshot: what the task group has become since is never looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from executions.models.limits import Resource, TaskType, Team
from executions.models.runs import Attempt, Execution, TaskRun
from executions.scheduling.model import (
    WITHOUT_WORKER,
    ExecutionProgress,
    ExecutionState,
    Group,
    LimitKey,
    LimitKind,
    LiveAttempt,
    OnCriticalFailure,
    Requirement,
    Strategy,
    Task,
    TaskProgress,
    TaskState,
    limit_key,
)


def site_limits() -> dict[LimitKey, int]:
    """Every site-wide limit and capacity as it is now."""
    found: dict[LimitKey, int] = {}
    for kind, rows in (
        (LimitKind.TEAM, Team.objects.values_list("name", "max_parallel")),
        (LimitKind.TASK_TYPE, TaskType.objects.values_list("name", "max_parallel")),
        (LimitKind.RESOURCE, Resource.objects.values_list("name", "capacity")),
    ):
        found.update((limit_key(kind, name), value) for name, value in rows)
    return found


def own_limits(config: Mapping[str, Any]) -> dict[LimitKey, int]:
    """A group's own limits by site key."""
    return {
        limit_key(LimitKind(kind), name): value
        for kind, by_name in config.get("limits", {}).items()
        for name, value in by_name.items()
    }


def task_of(row: TaskRun) -> Task:
    """One task as the brain sees it."""
    return Task(
        id=row.task_id,
        priority=row.priority,
        team=row.team or None,
        task_type=row.task_type or None,
        requirements=tuple(
            Requirement(r["id"], r.get("amount", 1), r.get("exclusive", False))
            for r in row.required_resources
        ),
        depends_on=tuple(row.depends_on),
        duration_s=row.duration_s,
        timeout_s=None if row.timeout_ms is None else row.timeout_ms / 1000,
        max_retries=row.max_retries,
        needs_worker=row.runner not in WITHOUT_WORKER,
    )


def group_of(execution: Execution, rows: Iterable[TaskRun]) -> Group:
    """The snapshot an execution runs, `rows` in order of position."""
    config = execution.config
    rows = list(rows)
    run_timeout_ms = config.get("run_timeout_ms")
    return Group(
        name=execution.name,
        tasks=tuple(task_of(row) for row in rows),
        max_concurrency=config["max_concurrency"],
        strategy=Strategy(config["failure_strategy"]),
        max_retries=config["max_retries"],
        retry_on_lost=config.get("retry_on_lost", 1),
        timeout_s=config["timeout_ms"] / 1000,
        run_timeout_s=None if run_timeout_ms is None else run_timeout_ms / 1000,
        critical_first=config["critical_first"],
        on_critical_failure=OnCriticalFailure(config.get("on_critical_failure", "stop")),
        planning=config.get("planning", True),
        limits=own_limits(config),
        ranks={row.task_id: row.rank for row in rows if row.rank is not None},
        holds=execution.plan.get("holds", {}),
    )


def orders_of(plan: Mapping[str, Any], ids: Sequence[str]) -> list[tuple[float, dict[str, int]]]:
    """(seconds into the run, ranks) of every order that an execution was given in mid-run.

    `ids`: its tasks in order of position.
    """
    return [
        (order["at_s"], {ids[position]: rank for rank, position in enumerate(order["positions"])})
        for order in plan.get("orders", [])
    ]


def _seconds(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()


def progress_of(
    execution: Execution, rows: Iterable[TaskRun], live: Mapping[int, Attempt]
) -> ExecutionProgress:
    """Where an open execution stands. `live` maps task run keys to their unreleased attempts."""
    tasks = {}
    for row in rows:
        attempt = live.get(row.pk)
        tasks[row.task_id] = TaskProgress(
            state=TaskState(row.state),
            attempts=row.attempts,
            failures=row.failures,
            losses=row.losses,
            since=row.since.timestamp(),
            not_before=_seconds(row.not_before),
            live=None
            if attempt is None
            else LiveAttempt(
                number=attempt.number,
                worker=attempt.worker,
                dispatched_at=attempt.dispatched_at.timestamp(),
                started_at=_seconds(attempt.started_at),
            ),
            waits=row.waits,
        )
    return ExecutionProgress(
        state=ExecutionState(execution.state),
        started_at=_seconds(execution.started_at),
        stopping_to=ExecutionState(execution.stopping_to) if execution.stopping_to else None,
        error=execution.error,
        tasks=tasks,
        alone=execution.alone,
        waited=execution.waited,
        summed_at=_seconds(execution.summed_at),
    )


def completed_runs(execution: int) -> QuerySet[TaskRun]:
    """Task runs that completed in an execution or in one that it tries again."""
    line = [execution]
    while parent := Execution.objects.filter(pk=line[-1]).values_list("parent", flat=True).first():
        line.append(parent)
    return TaskRun.objects.filter(execution__in=line, state=TaskState.COMPLETED)
