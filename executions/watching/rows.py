"""Rows of the tables as frames tell them: executions, what they wait for, the dashboard."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from executions.models import Demand, Execution
from executions.watching import dashboards


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
        "summed_at": seconds(execution.summed_at),
    }


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
