"""Row 13: what tasks share changes while they run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.contrib.admin import site
from django.contrib.auth import get_user_model
from django.test import RequestFactory

from executions.dispatch import bus
from executions.models import Attempt, Demand, Resource, TaskType, Team
from executions.models.snapshots import site_limits
from tests.chaos.load import mixed
from tests.chaos.site import wait_until
from tests.chaos.stage import Stage, drill


@drill("13")
def limit_moved(stage: Stage) -> str:
    """A limit goes 5 → 1 → 0 → 5 in a run: it drains, stops, goes on."""
    team = Team.objects.get(name="dev_team")
    stage.limit(team, 5)
    execution = stage.submit(everybody_in(stage, "dev_team"))
    stage.running(execution, 5)
    for limit in (1, 0):
        stage.limit(team, limit)
        live = Attempt.objects.filter(execution=execution, released_at=None)
        wait_until(lambda n=limit, rows=live: rows.count() <= n, 20, f"drained to {limit}")
    stage.limit(team, 5)
    stage.running(execution, 5)
    stage.finish(execution)
    return "drained to 1 and to 0, went on at 5"


def everybody_in(stage: Stage, team: str, seconds: float = 1.0) -> dict[str, Any]:
    """A wide load under one limit."""
    spec = mixed(stage.seed, stage.diary, 30, seconds)
    for row in spec["tasks"]:
        row |= {"team": team, "task_type": "light_tasks", "depends_on": []}
        row.pop("required_resources", None)
    return spec


@drill("13d")
def limits_gone(stage: Stage) -> str:
    """A team is renamed, a type and a resource are deleted in a run: drains, shown, harmless."""
    spec = everybody_in(stage, "dev_team", 4.0)
    for row in spec["tasks"]:
        row["required_resources"] = [{"id": "drill-db"}]
    execution = stage.submit(spec)
    stage.running(execution, 2)
    request = RequestFactory().post("/admin/")
    request.user = get_user_model().objects.get(username="drill")
    held = [
        Team.objects.get(name="dev_team"),
        TaskType.objects.get(name="light_tasks"),
        Resource.objects.get(name="drill-db"),
    ]
    for limit in held:
        page = site.get_model_admin(type(limit))
        assert not page.has_delete_permission(request, limit), f"{limit.key} can be deleted"
        with _gone(stage, limit):
            live = Attempt.objects.filter(execution=execution, released_at=None)
            wait_until(lambda rows=live: not rows.exists(), 20, f"drained without {limit.key}")
            wait_until(
                lambda k=limit.key: any(
                    k in demand.keys
                    for demand in Demand.objects.filter(execution=execution, queued__gt=0)
                ),
                20,
                f"it is shown that work waits for {limit.key}",
            )
        stage.running(execution, 1)
    stage.finish(execution)
    assert execution.outcome == "success", execution.counts
    return "refused while held; past the admin: drained, shown as waited for, went on when back"


@contextmanager
def _gone(stage: Stage, limit: Team | TaskType | Resource) -> Iterator[None]:
    """Away past the admin: teams under another name, others deleted; then there again."""
    kind, pk, name = type(limit), limit.pk, limit.name
    gone_at = time.time()
    if kind is Team:
        Team.objects.filter(pk=pk).update(name="renamed")
    else:
        kind.objects.filter(pk=pk).delete()
    stage.limits.append((gone_at, {**site_limits(), limit.key: 0}))
    bus.wake()
    yield
    back_at = time.time()
    if kind is Team:
        Team.objects.filter(pk=pk).update(name=name)
    else:
        limit.pk = pk
        limit.save(force_insert=True)
    stage.limits.append((back_at, site_limits()))
    bus.wake()
