"""How much of each limit was in use over the last day: its peak and a small curve."""

from __future__ import annotations

import time
from collections import defaultdict
from datetime import UTC, datetime
from typing import Any

from django.db.models import Q

from executions.models import Attempt
from executions.models.snapshots import site_limits
from executions.watching.uses import units_held

DAY_S = 86_400
BUCKETS = 96
ATTEMPTS_LIMIT = 50_000
"""The newest attempts looked at; more in a day are a busier site than a sparkline can tell."""
SPARK_HEIGHT = 20


def limit_peaks() -> dict[str, dict[str, Any]]:
    """By key: `peak` and `spark`, the path of its curve in a box of BUCKETS by SPARK_HEIGHT."""
    now = time.time()
    since = datetime.fromtimestamp(now - DAY_S, UTC)
    maximum = site_limits()
    edges: defaultdict[str, list[tuple[float, int]]] = defaultdict(list)
    held = (
        Attempt.objects.filter(Q(released_at=None) | Q(released_at__gte=since))
        .order_by("-pk")
        .values(
            "worker",
            "dispatched_at",
            "released_at",
            "task_run__team",
            "task_run__task_type",
            "task_run__required_resources",
        )[:ATTEMPTS_LIMIT]
    )
    for attempt in held:
        start = max(attempt["dispatched_at"].timestamp(), now - DAY_S)
        end = attempt["released_at"].timestamp() if attempt["released_at"] else now
        for key, units in units_held(attempt, maximum).items():
            edges[key] += [(start, units), (end, -units)]
    return {key: _curve(sorted(found), now) for key, found in edges.items()}


def _curve(edges: list[tuple[float, int]], now: float) -> dict[str, Any]:
    """Sweep the edges; releases sort before takes at one instant, as permits do."""
    tops = [0] * BUCKETS
    level = last = 0
    for at, change in edges:
        bucket = min(BUCKETS - 1, int((at - now + DAY_S) / DAY_S * BUCKETS))
        for between in range(last, bucket + 1):
            tops[between] = max(tops[between], level)
        level += change
        tops[bucket] = max(tops[bucket], level)
        last = bucket
    peak = max(tops)
    steps = "".join(f"V{SPARK_HEIGHT * (1 - top / (peak or 1)):.1f}h1" for top in tops)
    return {"peak": peak, "spark": f"M0 {SPARK_HEIGHT}{steps}V{SPARK_HEIGHT}Z"}
