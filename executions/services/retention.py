"""Old executions removed by age and count, little by little; told to a file first where asked.

Off unless settings or the command line say how much to keep. What is not over is never removed,
nor what a retry in progress may still refer to.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import structlog
from django.conf import settings
from django.db.models import Model, QuerySet
from django.utils import timezone

from executions.models import Attempt, AttemptOutput, Command, Demand, Execution, TaskRun
from executions.reporting.report import execution_report
from executions.scheduling.model import FINAL_EXECUTION_STATES, OPEN_EXECUTION_STATES

log = structlog.get_logger(__name__)

ROWS_AT_ONCE = 500
"""Rows a transaction removes: others wait for it no longer than for any other write."""
RUNS_AT_ONCE = 20
"""Executions that one round of the leader's housekeeping removes."""


@dataclass(frozen=True, slots=True)
class Keep:
    """How much stays: finished within `days`, and the newest `runs` finished; 0: no such bound."""

    days: float = 0.0
    runs: int = 0
    export_to: Path | None = None
    """A directory for the report of each execution that is removed."""

    @property
    def is_off(self) -> bool:
        """Whether everything stays."""
        return not self.days and not self.runs


def configured() -> Keep:
    """What the site's settings say."""
    directory = settings.PEXEC_KEEP_EXPORTS
    return Keep(
        settings.PEXEC_KEEP_DAYS, settings.PEXEC_KEEP_RUNS, Path(directory) if directory else None
    )


def executions_expired(keep: Keep) -> list[Execution]:
    """Executions beyond what is kept, oldest first."""
    over = Execution.objects.filter(state__in=sorted(FINAL_EXECUTION_STATES))
    over = over.exclude(pk__in=_still_needed())
    keys: set[int] = set()
    if keep.days:
        before = timezone.now() - timedelta(days=keep.days)
        keys.update(over.filter(completed_at__lt=before).values_list("pk", flat=True))
    if keep.runs:
        keys.update(over.order_by("-pk").values_list("pk", flat=True)[keep.runs :])
    return list(Execution.objects.filter(pk__in=keys).order_by("pk"))


def _still_needed() -> set[int]:
    """Executions that an open one retries, and those they retried: it may refer to results."""
    needed: set[int] = set()
    found = Execution.objects.filter(state__in=sorted(OPEN_EXECUTION_STATES))
    while parents := set(found.exclude(parent=None).values_list("parent_id", flat=True)) - needed:
        needed |= parents
        found = Execution.objects.filter(pk__in=parents)
    return needed


def executions_prune(keep: Keep, *, limit: int | None = None) -> list[str]:
    """Remove what is expired, at most `limit` executions; their public ids, oldest first."""
    removed = []
    for execution in executions_expired(keep)[:limit]:
        if keep.export_to is not None:
            _export(execution, keep.export_to)
        _remove(execution)
        removed.append(execution.public_id)
    return removed


def prune_some() -> None:
    """A round of the leader's housekeeping."""
    keep = configured()
    if not keep.is_off and (removed := executions_prune(keep, limit=RUNS_AT_ONCE)):
        log.info("old executions removed", count=len(removed), first=removed[0], last=removed[-1])


def _export(execution: Execution, directory: Path) -> None:
    """Write its report, whole or not at all. One that is there stays: removal was interrupted."""
    path = directory / f"{execution.public_id}.json"
    if path.exists():
        return
    directory.mkdir(parents=True, exist_ok=True)
    text = json.dumps({**execution_report(execution), "commands": _commands(execution)}, indent=1)
    partial = path.with_suffix(".part")
    with partial.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def _commands(execution: Execution) -> list[dict[str, Any]]:
    asked = Command.objects.filter(execution=execution).order_by("id")
    return [
        {
            "verb": command.verb,
            "by": command.by.get_username() if command.by else None,
            "at": command.at.isoformat(),
            "task": command.attempt.task_run.task_id if command.attempt else None,
            "payload": command.payload,
        }
        for command in asked.select_related("by", "attempt__task_run")
    ]


def _remove(execution: Execution) -> None:
    """Remove it from the leaves up, a few rows a transaction; the execution itself goes last."""
    for rows in _rows_of(execution):
        while keys := list(rows.order_by("pk").values_list("pk", flat=True)[:ROWS_AT_ONCE]):
            found = rows.model._default_manager.filter(pk__in=keys)  # noqa: SLF001 (documented)
            found._raw_delete(found.db)  # noqa: SLF001 (leaves first: there is nothing to cascade to)
    Execution.objects.filter(pk=execution.pk).delete()


def _rows_of(execution: Execution) -> Iterator[QuerySet[Model]]:
    yield Command.objects.filter(execution=execution)
    yield Command.objects.filter(attempt__execution=execution)
    yield AttemptOutput.objects.filter(attempt__execution=execution)
    yield Attempt.objects.filter(execution=execution)
    yield Demand.objects.filter(execution=execution)
    yield TaskRun.objects.filter(execution=execution)
