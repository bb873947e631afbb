"""Trying again what did not complete: a new execution of the rest of a finished one, or of a part.

Admission itself is another module's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from executions.models import Execution, TaskRun
from executions.scheduling.model import FINAL_EXECUTION_STATES, ExecutionState, TaskState
from executions.services.admission import CONFIG_FIELDS, execution_submit
from executions.specs import TaskGroupSpec


class NothingToRetryError(Exception):
    """The execution is not over, or all its tasks completed: there is nothing to try again."""


class NotAmongTheRestError(NothingToRetryError):
    """No task of it that did not complete. Name tasks that failed or were skipped."""


def execution_retry_failed(
    *,
    execution: Execution,
    user: Any,
    only: Collection[str] | None = None,
    with_skipped: bool = False,
) -> Execution:
    """A new execution of the tasks of a finished one that did not complete, linked to it.

    `only` chooses among them by id; what the chosen need and did not complete comes with them.
    `with_skipped` adds what was skipped for want of the chosen alone.
    """
    execution.refresh_from_db()
    if ExecutionState(execution.state) not in FINAL_EXECUTION_STATES:
        raise NothingToRetryError
    runs = list(execution.task_runs.exclude(state=TaskState.COMPLETED).order_by("position"))
    if only is not None:
        chosen = _chosen(runs, only, with_skipped=with_skipped)
        runs = [run for run in runs if run.task_id in chosen]
    if not runs:
        raise NothingToRetryError
    return execution_submit(
        user=user, group=execution.group, spec=_rest(execution, runs), parent=execution
    )


def _chosen(runs: Iterable[TaskRun], only: Collection[str], *, with_skipped: bool) -> set[str]:
    """Ids of what is chosen and of what must come with it."""
    by_id = {run.task_id: run for run in runs}
    needs = {id_: [n for n in run.depends_on if n in by_id] for id_, run in by_id.items()}
    if unknown := sorted(set(only) - by_id.keys()):
        raise NotAmongTheRestError(f"{', '.join(unknown)}: {NotAmongTheRestError.__doc__}")
    chosen = _needed(only, needs)
    if with_skipped:
        chosen |= _freed_by(chosen, needs, by_id)
    return chosen


def _needed(only: Iterable[str], needs: Mapping[str, Collection[str]]) -> set[str]:
    found: set[str] = set()
    ahead = list(only)
    while ahead:
        id_ = ahead.pop()
        if id_ not in found:
            found.add(id_)
            ahead += needs[id_]
    return found


def _freed_by(
    chosen: Collection[str], needs: Mapping[str, Collection[str]], by_id: Mapping[str, TaskRun]
) -> set[str]:
    """What was skipped and needs, of all that did not complete, only the chosen and each other."""
    found: set[str] = set()
    ahead = [id_ for id_ in by_id if id_ not in chosen]
    while True:
        freed = {
            id_
            for id_ in ahead
            if by_id[id_].state == TaskState.SKIPPED
            and needs[id_]
            and all(need in chosen or need in found for need in needs[id_])
        }
        if not freed:
            return found
        found |= freed
        ahead = [id_ for id_ in ahead if id_ not in freed]


def _rest(execution: Execution, runs: Collection[TaskRun]) -> TaskGroupSpec:
    """The spec of these task runs alone: what they needed and is completed is no more needed."""
    left = {run.task_id for run in runs}
    return TaskGroupSpec.model_validate(
        {
            "name": execution.name,
            **{field: execution.config[field] for field in CONFIG_FIELDS},
            "tasks": [
                {
                    "id": run.task_id,
                    "title": run.title,
                    "runner": run.runner,
                    "payload": run.payload,
                    "priority": run.priority,
                    "team": run.team or None,
                    "task_type": run.task_type or None,
                    "required_resources": run.required_resources,
                    "depends_on": [needed for needed in run.depends_on if needed in left],
                    "duration_s": run.duration_s if run.duration_source == "task" else None,
                    "timeout_ms": run.timeout_ms,
                    "max_retries": run.max_retries,
                }
                for run in runs
            ],
        }
    )
