"""The rows of one execution, read once, for everything that is told of it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from executions.models import Attempt, Execution, TaskRun
from executions.models.snapshots import group_of, site_limits
from executions.scheduling.figures import AttemptRecord, Figures, figures
from executions.scheduling.model import AttemptState, Reason


@dataclass(frozen=True, slots=True)
class ExecutionLog:
    """An execution, its task runs in order, and their attempts by task run in order."""

    execution: Execution
    task_runs: list[TaskRun]
    attempts: dict[int, list[Attempt]]


def execution_log(execution: Execution) -> ExecutionLog:
    """Read all of an execution."""
    attempts: defaultdict[int, list[Attempt]] = defaultdict(list)
    for attempt in Attempt.objects.filter(execution=execution).order_by("number"):
        attempts[attempt.task_run_id].append(attempt)
    rows = TaskRun.objects.filter(execution=execution).order_by("position")
    return ExecutionLog(execution, list(rows), dict(attempts))


def execution_figures(log: ExecutionLog) -> Figures:
    """The figures of an execution; of one that still runs, as of now."""
    execution = log.execution
    end = execution.completed_at or timezone.now()
    return figures(
        group_of(execution, log.task_runs),
        attempt_records(log),
        started_at=(execution.started_at or end).timestamp(),
        completed_at=end.timestamp(),
        limits=site_limits(),
        alone=execution.alone,
        waited=execution.waited,
    )


def attempt_records(log: ExecutionLog) -> list[AttemptRecord]:
    """Every attempt as the figures want it, in the order of the group."""
    return [
        _record(row.task_id, attempt)
        for row in log.task_runs
        for attempt in log.attempts.get(row.pk, ())
    ]


def _record(task: str, attempt: Attempt) -> AttemptRecord:
    return AttemptRecord(
        task=task,
        number=attempt.number,
        dispatched_at=attempt.dispatched_at.timestamp(),
        started_at=seconds(attempt.started_at),
        finished_at=seconds(attempt.finished_at),
        released_at=seconds(attempt.released_at),
        state=AttemptState(attempt.state),
        reason=Reason(attempt.reason) if attempt.reason else None,
    )


def seconds(moment: datetime | None) -> float | None:
    """Epoch seconds of a moment that may not have come."""
    return None if moment is None else moment.timestamp()


def iso(moment: datetime | None) -> str | None:
    """`2024-01-15T11:00:00Z`, with a fraction where there is one."""
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")


def run_ms(start: datetime | None, end: datetime | None) -> int | None:
    """Run time in whole milliseconds."""
    if start is None or end is None:
        return None
    return round((end - start).total_seconds() * 1000)
