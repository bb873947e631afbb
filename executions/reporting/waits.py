"""Task runs as REST tells them: how each stands, and what a queued one waits for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from executions.models import Attempt, Demand, Execution, TaskRun
from executions.reporting.log import iso, run_ms
from executions.scheduling.model import TaskState
from executions.scheduling.needs import limit_name, waits_by_name


def execution_tasks(execution: Execution, rows: Iterable[TaskRun]) -> list[dict[str, Any]]:
    """These task runs of the execution as JSON data."""
    waits = {d.number: d for d in Demand.objects.filter(execution=execution)}
    rows = list(rows)
    live = {
        a.task_run_id: a
        for a in Attempt.objects.filter(execution=execution, released_at=None).select_related(
            "claimed_by"
        )
    }
    return [_task(row, waits, live.get(row.pk)) for row in rows]


def _task(row: TaskRun, waits: Mapping[int, Demand], live: Attempt | None) -> dict[str, Any]:
    demand = waits.get(row.demand)
    is_waiting = row.state == TaskState.QUEUED and demand is not None
    return {
        "id": row.task_id,
        "position": row.position,
        "title": row.title,
        "runner": row.runner,
        "priority": row.priority,
        "team": row.team or None,
        "task_type": row.task_type or None,
        "required_resources": row.required_resources,
        "depends_on": row.depends_on,
        "duration_s": row.duration_s,
        "duration_source": row.duration_source,
        "status": row.state,
        "since": iso(row.since),
        "attempts": row.attempts,
        "not_before": iso(row.not_before),
        "started_at": iso(row.started_at),
        "finished_at": iso(row.finished_at),
        "duration_ms": run_ms(row.started_at, row.finished_at),
        "reason": row.reason,
        "error": row.error,
        "skipped_because_of": row.skipped_because_of,
        "result": row.result,
        "waits_for": [limit_name(key) for key in demand.keys] if is_waiting and demand else [],
        "reserved_for": demand.reserved_for if is_waiting and demand else "",
        "waited_s": waits_by_name(row.waits),
        "progress": live.progress if live else None,
        "progress_line": live.progress_line if live else "",
        "claimed_by": live.claimed_by.get_username() if live and live.claimed_by else None,
    }
