"""Use of the site's limits now: how much, who holds it, who waits. Recomputed, never counted on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from django.db.models import Sum

from executions.models import Attempt, Demand, Execution, TaskRun, WorkerProcess
from executions.models.snapshots import own_limits, site_limits
from executions.scheduling.model import (
    OPEN_EXECUTION_STATES,
    WORKERS,
    LimitKey,
    LimitKind,
    limit_key,
)

Use = dict[str, list[int]]
"""[used, maximum, tasks waiting] by LimitKey."""


def limit_uses() -> Use:
    """Every site-wide limit: used now, its maximum, task runs waiting for it."""
    maximum = site_limits()
    uses: Use = {key: [0, value, 0] for key, value in maximum.items()}
    slots = WorkerProcess.objects.filter(gone_at=None).aggregate(n=Sum("slots"))["n"] or 0
    uses[WORKERS] = [0, slots, 0]
    for holding in _holding():
        for key, units in units_held(holding, maximum).items():
            if key in uses:
                uses[key][0] += units
    for keys, queued in Demand.objects.filter(
        queued__gt=0, execution__state__in=sorted(OPEN_EXECUTION_STATES)
    ).values_list("keys", "queued"):
        for key in keys:
            if key in uses:
                uses[key][2] += queued
    return uses


def _holding() -> Iterable[Any]:
    """The task runs that hold a slot now."""
    return (
        Attempt.objects.filter(released_at=None)
        .order_by("dispatched_at")
        .values(
            "worker",
            "dispatched_at",
            "execution_id",
            "task_run__task_id",
            "task_run__team",
            "task_run__task_type",
            "task_run__required_resources",
        )
    )


def units_held(holding: Mapping[str, Any], maximum: Mapping[LimitKey, int]) -> dict[LimitKey, int]:
    """What a task run in flight holds, by key."""
    held: dict[LimitKey, int] = {}
    if holding["worker"]:
        held[WORKERS] = 1
    if holding["task_run__team"]:
        held[limit_key(LimitKind.TEAM, holding["task_run__team"])] = 1
    if holding["task_run__task_type"]:
        held[limit_key(LimitKind.TASK_TYPE, holding["task_run__task_type"])] = 1
    for need in holding["task_run__required_resources"]:
        key = limit_key(LimitKind.RESOURCE, need["id"])
        held[key] = maximum.get(key, 1) if need.get("exclusive") else need.get("amount", 1)
    return held


def limit_holders() -> dict[LimitKey, list[dict[str, Any]]]:
    """Who holds what now: execution key, task id, units, since."""
    maximum = site_limits()
    found: dict[LimitKey, list[dict[str, Any]]] = defaultdict(list)
    for holding in _holding():
        for key, units in units_held(holding, maximum).items():
            found[key].append(
                {
                    "execution": holding["execution_id"],
                    "task_id": holding["task_run__task_id"],
                    "units": units,
                    "since": holding["dispatched_at"],
                }
            )
    return found


def limit_rows() -> list[dict[str, Any]]:
    """Every limit as its page shows it: kind, name, use, waiting, holders."""
    holders = limit_holders()
    rows = []
    for key, (used, maximum, waiting) in limit_uses().items():
        kind, _, name = key.partition(":")
        rows.append(
            {
                "key": key,
                "kind": kind,
                "name": name or key,
                "used": used,
                "maximum": maximum,
                "waiting": waiting,
                "holders": holders.get(LimitKey(key), []),
            }
        )
    return rows


def limits_of_execution(pk: int) -> dict[str, int]:
    """Every limit the tasks of an execution are under, as it is now; its own are the lower."""
    execution = Execution.objects.get(pk=pk)
    site, own = site_limits(), own_limits(execution.config)
    used: set[LimitKey] = set()
    for team, kind, needs in TaskRun.objects.filter(execution_id=pk).values_list(
        "team", "task_type", "required_resources"
    ):
        if team:
            used.add(limit_key(LimitKind.TEAM, team))
        if kind:
            used.add(limit_key(LimitKind.TASK_TYPE, kind))
        used.update(limit_key(LimitKind.RESOURCE, need["id"]) for need in needs)
    found = {"max_concurrency": int(execution.config["max_concurrency"])}
    return found | {
        key: min(site[key], own.get(key, site[key])) for key in sorted(used) if key in site
    }
