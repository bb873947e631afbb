"""What an attempt is asked to do, read by workers from the database: messages carry only its name.

Task runs are read a window at a time and kept, so that a long run costs few queries.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from executions.models import Execution, TaskRun
from executions.models.runs import EXECUTION_ID_PREFIX
from executions.models.secrets import SecretUnreadableError, secret_values
from executions.models.snapshots import completed_runs
from executions.runners.redaction import Redaction
from executions.runners.references import UnresolvedReferenceError, references, resolve

WINDOW = 256
WINDOWS_KEPT = 64


class NoBriefError(Exception):
    """The task run is not in the database (any more): nothing to run."""


@dataclass(frozen=True, slots=True)
class Brief:
    """One task run as it was asked for."""

    execution: str
    task: str
    runner: str
    payload: Mapping[str, Any]
    timeout_s: float


class BriefBook:
    """Briefs by execution key and position. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._windows: OrderedDict[tuple[int, int], dict[int, Brief]] = OrderedDict()

    def get(self, execution: int, position: int) -> Brief:
        """The brief; raises NoBriefError."""
        key = (execution, position // WINDOW)
        with self._lock:
            window = self._windows.get(key)
            if window is None:
                window = self._windows[key] = self._read(*key)
                while len(self._windows) > WINDOWS_KEPT:
                    self._windows.popitem(last=False)
            else:
                self._windows.move_to_end(key)
        try:
            return window[position]
        except KeyError:
            raise NoBriefError from None

    def _read(self, execution: int, number: int) -> dict[int, Brief]:
        config = Execution.objects.filter(pk=execution).values_list("config", flat=True).first()
        if config is None:
            raise NoBriefError
        first = number * WINDOW
        rows = TaskRun.objects.filter(
            execution_id=execution, position__gte=first, position__lt=first + WINDOW
        ).values_list("position", "task_id", "runner", "payload", "timeout_ms")
        public_id = f"{EXECUTION_ID_PREFIX}{execution}"
        return {
            position: Brief(
                public_id, task, runner, payload, (timeout_ms or config["timeout_ms"]) / 1000
            )
            for position, task, runner, payload, timeout_ms in rows
        }


def results_of(execution: int, tasks: frozenset[str]) -> dict[str, Any]:
    """Results of completed task runs, by task id; of the execution or of one that it retries."""
    found = completed_runs(execution).filter(task_id__in=tasks).order_by("execution_id")
    return dict(found.values_list("task_id", "result"))


def filled_in(payload: Mapping[str, Any], execution: int) -> tuple[Mapping[str, Any], Redaction]:
    """The payload with results and secrets in place, and what masks those secrets from now on.

    Raises UnresolvedReferenceError.
    """
    tasks, names = references(payload)
    if not tasks and not names:
        return payload, Redaction(())
    try:
        secrets = secret_values(names)
    except SecretUnreadableError as error:
        raise UnresolvedReferenceError(str(error)) from None
    results = results_of(execution, tasks)
    return resolve(payload, results=results, secrets=secrets), Redaction(secrets.values())
