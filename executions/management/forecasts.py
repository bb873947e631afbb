"""Forecasts as the command line tells them: JSON data, and words for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from executions.scheduling.bounds import lower_bound
from executions.scheduling.graph import estimated_s
from executions.scheduling.model import LimitKey
from executions.scheduling.simulation import simulate
from executions.specs import TaskGroupSpec, group_of

WORKER = "worker"


def simulated(
    spec: TaskGroupSpec, limits: Mapping[LimitKey, int], workers: int | None
) -> dict[str, Any]:
    """The schedule of a virtual run, in seconds from 0."""
    group = group_of(spec)
    result = simulate(group, limits=limits, workers={WORKER: workers} if workers else None)
    durations = {task.id: estimated_s(task) for task in group.tasks}
    return {
        "makespan_s": result.makespan_s,
        "lower_bound_s": lower_bound(group, durations, limits, workers).seconds,
        "schedule": [
            {
                "id": row.id,
                "started_at": row.started_at,
                "finished_at": row.finished_at,
                "status": row.status.value,
            }
            for row in result.schedule
        ],
    }


def simulation_words(forecast: Mapping[str, Any]) -> str:
    """The same as lines, by start."""
    rows = [row for row in forecast["schedule"] if row["started_at"] is not None]
    rows.sort(key=lambda row: (row["started_at"], row["finished_at"]))
    width = max((len(row["id"]) for row in rows), default=4)
    lines = [
        f"{row['id']:<{width}}  {row['started_at']:>10.1f}  {row['finished_at']:>10.1f}"
        f"  {row['status']}"
        for row in rows
    ]
    headline = (
        f"makespan {forecast['makespan_s']:.1f} s, no schedule can beat "
        f"{forecast['lower_bound_s']:.1f} s"
    )
    header = f"{'task':<{width}}  {'start s':>10}  {'end s':>10}  status"
    return "\n".join((headline, header, *lines))
