"""The report in its published shape; names never differ."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from executions.models import Attempt, AttemptOutput, Execution, TaskRun
from executions.reporting.log import (
    ExecutionLog,
    execution_figures,
    execution_log,
    iso,
    run_ms,
    seconds,
)
from executions.scheduling.model import AttemptState, Strategy, TaskState

OUTPUT_TAIL_BYTES = 4096

END_NAMES = {
    TaskState.COMPLETED: "completed_at",
    TaskState.FAILED: "failed_at",
    TaskState.CANCELLED: "cancelled_at",
}


def execution_report(execution: Execution) -> dict[str, Any]:
    """The whole report as JSON data; of a running execution, as it stands."""
    log = execution_log(execution)
    figures = execution_figures(log)
    counts = Counter(row.state for row in log.task_runs)
    return {
        "parallel_execution": {
            "id": execution.public_id,
            "name": execution.name,
            "status": execution.state,
            "outcome": execution.outcome,
            "error": execution.error,
            "parent": execution.parent.public_id if execution.parent else None,
            "config": _config(execution.config),
            "tasks": {
                "total": len(log.task_runs),
                **{s.value: counts[s.value] for s in _COUNTED},
                "ids": [row.task_id for row in log.task_runs],
            },
            "results": {row.task_id: _result(row, log) for row in log.task_runs},
            "timing": {
                "started_at": iso(execution.started_at),
                "completed_at": iso(execution.completed_at),
                **figures.timing(),
            },
            "resources": figures.resources(),
            "failure_report": _failure_report(log),
        }
    }


_COUNTED = (TaskState.COMPLETED, TaskState.FAILED, TaskState.SKIPPED, TaskState.CANCELLED)


def _config(config: dict[str, Any]) -> dict[str, Any]:
    return {
        "max_concurrency": config["max_concurrency"],
        "fail_fast": config["failure_strategy"] == Strategy.FAIL_FAST,
        "timeout_ms": config["timeout_ms"],
        "failure_strategy": config["failure_strategy"],
        "max_retries": config["max_retries"],
        "critical_first": config["critical_first"],
        **{
            name: config[name]
            for name in ("run_timeout_ms", "on_critical_failure", "limits")
            if config.get(name)
        },
    }


def _result(row: TaskRun, log: ExecutionLog) -> dict[str, Any]:
    found: dict[str, Any] = {"status": row.state}
    if row.started_at is not None:
        found["started_at"] = iso(row.started_at)
    end = END_NAMES.get(TaskState(row.state))
    if end and row.finished_at is not None:
        found[end] = iso(row.finished_at)
        found["duration_ms"] = run_ms(row.started_at, row.finished_at)
    found["attempts"] = len(log.attempts.get(row.pk, ()))
    if row.state == TaskState.COMPLETED:
        found["result"] = row.result
    elif row.error:
        found["error"] = row.error
    if row.reason:
        found["reason"] = row.reason
    if row.skipped_because_of:
        found["skipped_because_of"] = row.skipped_because_of
    return found


def _failure_report(log: ExecutionLog) -> list[dict[str, Any]]:
    """Tasks that failed, the first to fail first, each with what it took along."""
    failed = [row for row in log.task_runs if row.state == TaskState.FAILED]
    failed.sort(key=lambda row: (row.finished_at is None, row.finished_at, row.position))
    skipped: defaultdict[str, list[str]] = defaultdict(list)
    for row in log.task_runs:
        if row.state == TaskState.SKIPPED:
            skipped[row.skipped_because_of].append(row.task_id)
    tails = _output_tails([a.pk for row in failed for a in log.attempts.get(row.pk, ())])
    return [
        {
            "task_id": row.task_id,
            "reason": row.reason,
            "error": row.error,
            "attempts": [_attempt(a, tails.get(a.pk, "")) for a in log.attempts.get(row.pk, ())],
            "skipped_because_of_it": skipped[row.task_id],
        }
        for row in failed
    ]


def _attempt(attempt: Attempt, tail: str) -> dict[str, Any]:
    end = "failed_at" if attempt.state == AttemptState.FAILED else "finished_at"
    return {
        "number": attempt.number,
        "state": attempt.state,
        "started_at": iso(attempt.started_at),
        end: iso(attempt.finished_at),
        "reason": attempt.reason,
        "error": attempt.error,
        "exit_code": attempt.exit_code,
        "output_tail": tail,
    }


def _output_tails(attempts: list[int]) -> dict[int, str]:
    found = {}
    for start in range(0, len(attempts), 500):
        part = AttemptOutput.objects.filter(attempt__in=attempts[start : start + 500])
        for key, head, tail in part.values_list("attempt_id", "head", "tail"):
            kept = bytes(tail) or bytes(head)
            found[key] = kept[-OUTPUT_TAIL_BYTES:].decode(errors="replace").replace("\0", "")
    return found


def execution_timeline(execution: Execution) -> list[dict[str, Any]]:
    """Every attempt that started, by start, in epoch seconds."""
    rows = (
        Attempt.objects.filter(execution=execution, started_at__isnull=False)
        .order_by("started_at", "pk")
        .values_list("task_run__task_id", "started_at", "finished_at", "state", "number")
    )
    return [
        {
            "id": task,
            "started_at": seconds(started),
            "finished_at": seconds(finished),
            "status": state,
            "attempt": number,
        }
        for task, started, finished, state, number in rows.iterator()
    ]
