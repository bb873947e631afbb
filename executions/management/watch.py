"""An execution followed on a terminal until it ends: bar, running tasks, failures as they come."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from executions import services
from executions.exports.plain_text import plain_line
from executions.models import Execution, TaskRun
from executions.scheduling.model import (
    FINAL_EXECUTION_STATES,
    ExecutionState,
    Outcome,
    TaskState,
)

LOOK_EVERY_S = 0.25
RUNNING_SHOWN = 5

ALL_COMPLETED, SOME_FAILED, CANCELLED = 0, 1, 3


def exit_code(execution: Execution) -> int:
    """0 all completed, 1 some failed, 3 cancelled."""
    if execution.state == ExecutionState.CANCELLED:
        return CANCELLED
    return ALL_COMPLETED if execution.outcome == Outcome.SUCCESS else SOME_FAILED


def follow(execution: Execution, console: Console, *, user: Any) -> None:
    """Show it until it is over. An interrupt cancels it and waits for its end; a second leaves."""
    shown: set[str] = set()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[running]}", markup=False),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task(execution.public_id, total=execution.total, running="")
        try:
            _until_over(execution, progress, bar, shown)
        except KeyboardInterrupt:
            _cancel(execution, console, user)
            try:
                _until_over(execution, progress, bar, shown)
            except KeyboardInterrupt:
                told = f"left: `pexec report {execution.public_id}` tells how it ended"
                console.print(told, highlight=False)
                raise


def _cancel(execution: Execution, console: Console, user: Any) -> None:
    with suppress(services.NotAllowedNowError):  # it ended by itself in this moment
        services.execution_cancel(execution=execution, user=user)
        console.print("cancelling, Ctrl-C again leaves it to that")


def _until_over(execution: Execution, progress: Progress, bar: Any, shown: set[str]) -> None:
    while True:
        execution.refresh_from_db()
        is_over = execution.state in FINAL_EXECUTION_STATES
        progress.update(bar, completed=execution.ended, running=_running(execution))
        if execution.counts.get(TaskState.FAILED, 0) > len(shown):
            _tell_failures(execution, progress.console, shown)
        if is_over:
            return
        time.sleep(LOOK_EVERY_S)


def _running(execution: Execution) -> str:
    """The first few running tasks; nothing of that is looked up for nobody to see."""
    rows = TaskRun.objects.filter(execution=execution, state=TaskState.RUNNING)
    names = list(rows.order_by("started_at").values_list("task_id", flat=True)[:RUNNING_SHOWN])
    more = execution.counts.get(TaskState.RUNNING, 0) - len(names)
    return ", ".join(names) + (f" and {more} more" if more > 0 else "")


def _tell_failures(execution: Execution, console: Console, shown: set[str]) -> None:
    rows = TaskRun.objects.filter(execution=execution, state=TaskState.FAILED)
    for row in rows.order_by("finished_at"):
        if row.task_id not in shown:
            shown.add(row.task_id)
            line = plain_line(f"failed: {row.task_id}: {row.error}")
            console.print(Text(line), soft_wrap=True)
