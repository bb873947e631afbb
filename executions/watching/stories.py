"""One task in full, its output, and the failures of an execution apart from their consequences."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from executions.dispatch.bus import BusDownError, default_bus
from executions.models import Attempt, AttemptOutput, Execution, TaskRun
from executions.runners.output import whole
from executions.watching.rows import demands_of
from executions.watching.uses import limit_holders


def task_failures(pk: int) -> list[dict[str, Any]]:
    """Root failures of an execution, the earliest first, each with the tasks it skipped."""
    skipped: dict[str, list[str]] = defaultdict(list)
    for task_id, cause in (
        TaskRun.objects.filter(execution_id=pk, state="skipped")
        .exclude(skipped_because_of="")
        .values_list("task_id", "skipped_because_of")
    ):
        skipped[cause].append(task_id)
    return [
        {"task": task, "skipped": skipped.get(task.task_id, [])}
        for task in TaskRun.objects.filter(execution_id=pk, state="failed").order_by(
            "finished_at", "position"
        )
    ]


def attempt_output(attempt: Attempt) -> tuple[int, bytes]:
    """What is known of an attempt's output: (offset of the first byte given, bytes)."""
    kept = AttemptOutput.objects.filter(attempt=attempt).first()
    if kept is not None:
        head, tail = bytes(kept.head), bytes(kept.tail)
        if kept.total_bytes <= len(head) + len(tail):
            return 0, head + tail
        return kept.total_bytes - len(tail), tail
    try:
        return default_bus().output_read(attempt.pk, 0)
    except BusDownError:
        return 0, b""


def attempt_output_whole(attempt: Attempt) -> bytes:
    """All that is known of an attempt's output, with a mark where its middle was left out."""
    kept = AttemptOutput.objects.filter(attempt=attempt).first()
    if kept is None:
        return attempt_output(attempt)[1]
    return whole(bytes(kept.head), bytes(kept.tail), kept.total_bytes)


def open_attempt(pk: int, task_id: str) -> Attempt | None:
    """The newest attempt of a task, running or not."""
    return (
        Attempt.objects.filter(execution_id=pk, task_run__task_id=task_id)
        .order_by("-number")
        .first()
    )


def attempt_find(pk: int, task_id: str, number: int) -> Attempt | None:
    """One attempt of a task by its number."""
    return Attempt.objects.filter(execution_id=pk, task_run__task_id=task_id, number=number).first()


def task_story(execution: Execution, task_id: str) -> dict[str, Any] | None:
    """One task in full: what it is, what it waited for, its attempts, its neighbours."""
    task = TaskRun.objects.filter(execution=execution, task_id=task_id).first()
    if task is None:
        return None
    attempts = []
    tries = Attempt.objects.filter(task_run=task).select_related("claimed_by").order_by("-number")
    for attempt in tries:
        offset, data = attempt_output(attempt)
        attempts.append({"row": attempt, "offset": offset, "text": data.decode(errors="replace")})
    keys = demands_of(execution.pk).get(task.demand, {}).get("keys", [])
    holders = limit_holders()
    return {
        "row": task,
        "attempts": attempts,
        "waits": sorted(task.waits.items(), key=lambda wait: -wait[1]),
        "waiting": [{"key": key, "holders": holders.get(key, [])[:5]} for key in keys]
        if task.state == "queued"
        else [],
        "unmet": list(
            TaskRun.objects.filter(execution=execution, task_id__in=task.depends_on)
            .exclude(state="completed")
            .values_list("task_id", flat=True)
        ),
        "dependents": [
            other
            for other, needs in TaskRun.objects.filter(execution=execution).values_list(
                "task_id", "depends_on"
            )
            if task.task_id in needs
        ],
    }
