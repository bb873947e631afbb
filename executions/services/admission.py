"""The one way a run is accepted, whoever asks: pages, REST, the command line, a retry."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils import timezone

from executions.dispatch import bus
from executions.dispatch.rows import Row, Table, statements
from executions.models import Execution, TaskGroup, TaskRun
from executions.models.snapshots import completed_runs, site_limits
from executions.reporting.forecast import history_s, order_for, worker_slots
from executions.scheduling.conditions import Conditions
from executions.scheduling.estimates import (
    Estimate,
    estimates,
    with_estimates,
)
from executions.scheduling.graph import demand_numbers
from executions.scheduling.model import TaskState
from executions.scheduling.search import BetterOrder
from executions.services.groups import (
    RUN_FIELDS,
    make_resources,
    may_define,
    spec_check,
    spec_of,
)
from executions.specs import TaskGroupSpec, TaskSpec, group_of, limits_with, plain

TRIES = 100
CONFIG_FIELDS = (*RUN_FIELDS, "limits")

Estimates = Mapping[str, Estimate]
"""By task id."""


class IdempotencyConflictError(Exception):
    """The idempotency key was used for another request. Use a new key for a new request."""


def execution_submit(
    *,
    user: Any,
    group: TaskGroup | None = None,
    spec: TaskGroupSpec | None = None,
    idempotency_key: str | None = None,
    parent: Execution | None = None,
) -> Execution:
    """Accept a run of a saved group or of a spec; it is on disk when this returns.

    The same `idempotency_key` of the same user with the same request gives the same execution.
    Raises SpecInvalidError, PermissionDenied, IdempotencyConflictError; nothing is saved then.
    """
    if spec is None:
        if group is None:
            raise TypeError("a group or a spec is needed")
        spec = spec_of(group)
    elif parent is None and (group is None or spec.tasks != spec_of(group).tasks):
        may_define(user, spec)  # other limits for the same tasks define nothing
    digest = hashlib.sha256(json.dumps(plain(spec), sort_keys=True).encode()).hexdigest()
    if idempotency_key and (known := _known(user, idempotency_key, digest)):
        return known
    spec_check(spec, frozenset() if parent is None else _completed_before(parent))
    durations = estimates(group_of(spec), None if group is None else history_s(group))
    order = _order(spec, durations)
    for _ in range(TRIES):
        try:
            with transaction.atomic():
                make_resources(spec)
                execution = _new_execution(user, group, spec, parent)
                execution.idempotency_key = idempotency_key or None
                execution.request_digest = digest
                rows = _task_runs(execution, spec, durations, order)
                if order is not None:
                    execution.plan = {"makespan_s": order.makespan_s, "holds": dict(order.holds)}
                execution.counts = dict(Counter(row["state"] for row in rows))
                execution.save(force_insert=True)
                _stay_with_teams(execution)
                with statements() as made:
                    Table(TaskRun, ("id",)).insert(made, rows)
                transaction.on_commit(bus.wake)
        except IntegrityError:  # the millisecond was taken, or the key, by somebody just now
            if idempotency_key and (known := _known(user, idempotency_key, digest)):
                return known
        else:
            return execution
    raise IntegrityError("no free execution id")


def _known(user: Any, key: str, digest: str) -> Execution | None:
    known = Execution.objects.filter(submitted_by=user, idempotency_key=key).first()
    if known is not None and known.request_digest != digest:
        raise IdempotencyConflictError
    return known


def _new_execution(
    user: Any, group: TaskGroup | None, spec: TaskGroupSpec, parent: Execution | None
) -> Execution:
    """Not saved. Its key is this millisecond, or the next one after all there are."""
    now = timezone.now()
    newest = Execution.objects.aggregate(newest=Max("id"))["newest"] or 0
    return Execution(
        id=max(int(now.timestamp() * 1000), newest + 1),
        group=group,
        name=spec.name,
        config=spec.model_dump(mode="json", include=set(CONFIG_FIELDS)),
        submitted_by=user,
        parent=parent,
        created_at=now,
        total=len(spec.tasks),
    )


def _stay_with_teams(execution: Execution) -> None:
    """A retry of a run whose group is gone belongs to whom that run belongs to."""
    if execution.parent is not None and execution.group is None:
        execution.owning_teams.set(execution.parent.owning_teams.all())


def _task_runs(
    execution: Execution, spec: TaskGroupSpec, durations: Estimates, order: BetterOrder | None
) -> list[Row]:
    planned = group_of(spec)
    if order is not None:
        planned = replace(planned, ranks=order.ranks, holds=order.holds)
    demands = demand_numbers(planned)
    since = execution.created_at.timestamp()
    return [
        _task_run(task, durations[task.id])
        | {
            "execution_id": execution.pk,
            "position": n,
            "demand": demands[task.id],
            "rank": planned.ranks.get(task.id),
            "since": since,
        }
        for n, task in enumerate(spec.tasks)
    ]


def _order(spec: TaskGroupSpec, durations: Estimates) -> BetterOrder | None:
    """A better order than the plain rule, where durations are known and it is worth the time."""
    group = with_estimates(group_of(spec), durations)
    conditions = Conditions(group, limits_with(spec, site_limits()), worker_slots())
    return order_for(conditions, [known.source for known in durations.values()])


def _task_run(task: TaskSpec, duration: Estimate) -> Row:
    return {
        "task_id": task.id,
        "title": task.title,
        "runner": task.runner,
        "payload": task.payload,
        "priority": task.priority,
        "team": task.team or "",
        "task_type": task.task_type or "",
        "required_resources": [need.model_dump() for need in task.required_resources],
        "depends_on": list(dict.fromkeys(task.depends_on)),
        "duration_s": duration.seconds,
        "duration_source": duration.source.value,
        "timeout_ms": task.timeout_ms,
        "max_retries": task.max_retries,
        "state": (TaskState.BLOCKED if task.depends_on else TaskState.QUEUED).value,
    }


def _completed_before(execution: Execution) -> frozenset[str]:
    """Tasks whose results a retry of this execution may refer to."""
    return frozenset(completed_runs(execution.pk).values_list("task_id", flat=True))
