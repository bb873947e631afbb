"""Rows of the tables as frames tell them: one execution in full, executions on the dashboard."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from executions import frames
from executions.models import Attempt, Demand, Execution, TaskRun
from executions.models.snapshots import own_limits, site_limits
from executions.scheduling.model import local_key
from executions.watching import dashboards
from executions.watching.layers import levels

TASK_COLUMNS = (
    "task_id",
    "title",
    "runner",
    "priority",
    "team",
    "task_type",
    "required_resources",
    "depends_on",
    "duration_s",
    "demand",
    "state",
    "since",
    "attempts",
    "started_at",
    "finished_at",
    "reason",
    "error",
    "skipped_because_of",
    "not_before",
    "waits",
    "pk",
)

ATTEMPT_COLUMNS = (
    "task_run_id",
    "number",
    "dispatched_at",
    "released_at",
    "progress",
    "progress_line",
    "worker",
)
NO_ATTEMPT = (None, 0, None, None, None, "", "")


def seconds(moment: datetime | None) -> float | None:
    """Epoch seconds of a moment that may not have come."""
    return None if moment is None else moment.timestamp()


def execution_fields(execution: Execution) -> dict[str, Any]:
    """An execution as frames tell it."""
    return {
        "id": execution.public_id,
        "name": execution.name,
        "state": execution.state,
        "outcome": execution.outcome,
        "error": execution.error,
        "created_at": seconds(execution.created_at),
        "started_at": seconds(execution.started_at),
        "completed_at": seconds(execution.completed_at),
        "total": execution.total,
        "counts": execution.counts,
        "config": execution.config,
        "plan": {k: v for k, v in execution.plan.items() if not isinstance(v, (list, dict))},
        "alone": execution.alone,
        "waited": execution.waited,
    }


def execution_snapshot(pk: int) -> frames.Frame:
    """All of an execution as one frame.

    Its number is read first: what a later commit changes meanwhile comes again as a delta.
    """
    execution = Execution.objects.get(pk=pk)
    rows = list(
        TaskRun.objects.filter(execution_id=pk).order_by("position").values_list(*TASK_COLUMNS)
    )
    return frames.snapshot(
        seq=execution.seq,
        now=time.time(),
        execution=execution_fields(execution),
        tasks=_task_rows(rows, _last_attempts(pk)),
        demands=demands_of(pk),
        attempts=_earlier_attempts(pk),
        limits=_limits_seen(execution),
    )


def _task_rows(
    rows: list[tuple[Any, ...]], last: Mapping[int, tuple[Any, ...]]
) -> Iterator[list[Any]]:
    positions = {row[0]: position for position, row in enumerate(rows)}
    depends_on = [[positions[task] for task in row[7] if task in positions] for row in rows]
    level = levels(depends_on)
    for position, row in enumerate(rows):
        attempt = last.get(row[20], NO_ATTEMPT)
        is_live = attempt[3] is None
        resources = [
            [need["id"], 0 if need.get("exclusive") else need.get("amount", 1)] for need in row[6]
        ]
        yield [
            *row[:6],
            resources,
            depends_on[position],
            row[8],
            row[9],
            level[position],
            row[10],
            seconds(row[11]),
            row[12],
            seconds(row[13]),
            seconds(row[14]),
            *row[15:18],
            seconds(row[18]),
            *(attempt[4:7] if is_live else NO_ATTEMPT[4:7]),
            {key: round(value, 3) for key, value in row[19].items()},
            _brief(attempt[2]),
            _brief(attempt[3]),
        ]


def demands_of(pk: int) -> dict[int, dict[str, Any]]:
    """What the demand classes of an execution wait for."""
    return {
        row.number: {
            "keys": row.keys,
            "queued": row.queued,
            "since": seconds(row.since),
            "reserved_for": row.reserved_for,
        }
        for row in Demand.objects.filter(execution_id=pk)
    }


def _last_attempts(pk: int) -> dict[int, tuple[Any, ...]]:
    """The last attempt of each task run, by its key, as ATTEMPT_COLUMNS."""
    last: dict[int, tuple[Any, ...]] = {}
    for row in Attempt.objects.filter(execution_id=pk).values_list(*ATTEMPT_COLUMNS):
        if row[1] > last.get(row[0], NO_ATTEMPT)[1]:
            last[row[0]] = row
    return last


def _earlier_attempts(pk: int) -> Iterator[list[Any]]:
    """Ended attempts of task runs that had more than one."""
    rows = Attempt.objects.filter(
        execution_id=pk, task_run__attempts__gt=1, released_at__isnull=False
    ).values_list(
        "number",
        "task_run__attempts",
        "state",
        "task_run__position",
        "started_at",
        "finished_at",
        "dispatched_at",
        "released_at",
    )
    for number, attempts, state, position, started, finished, *held in rows:
        if number < attempts:
            times = [seconds(started), seconds(finished), state, *map(_brief, held)]
            yield [position, number, *times]


def _brief(moment: datetime | None) -> float | None:
    """Milliseconds are enough for a picture, and shorter."""
    return None if moment is None else round(moment.timestamp(), 3)


def _limits_seen(execution: Execution) -> dict[str, list[int]]:
    """The limits this execution is under: the site's that it uses and its own."""
    site: dict[str, list[int]] = {key: [0, maximum] for key, maximum in site_limits().items()}
    own: dict[str, list[int]] = {
        local_key(execution.public_id, key): [0, maximum]
        for key, maximum in own_limits(execution.config).items()
    }
    at_once = local_key(execution.public_id, "max_concurrency")
    return {**site, **own, at_once: [0, execution.config.get("max_concurrency", 0)]}


def dashboard_rows(executions: Iterable[Execution]) -> dict[int, dict[str, Any]]:
    """Executions as the dashboard shows them."""
    executions = list(executions)
    speeds = dashboards.speeds(executions)
    return {
        e.pk: {
            "id": e.public_id,
            "name": e.name,
            "state": e.state,
            "outcome": e.outcome,
            "counts": e.counts,
            "total": e.total,
            "created_at": seconds(e.created_at),
            "started_at": seconds(e.started_at),
            "completed_at": seconds(e.completed_at),
            "owner": e.submitted_by.get_username() if e.submitted_by else "",
            "group": e.group_id,
            "forecast_s": e.plan.get("makespan_s"),
            **speeds[e.pk],
        }
        for e in executions
    }
