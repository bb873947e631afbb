"""What the dashboard tells beside rows and limits: how fast runs are, and why tasks wait now."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

from executions.models import Demand, Execution, TaskRun
from executions.scheduling.model import FINAL_EXECUTION_STATES, OPEN_EXECUTION_STATES
from executions.watching.uses import limit_holders

HOLDERS_SHOWN = 2
WHYS_SHOWN = 12


def speeds(executions: Iterable[Execution]) -> dict[int, dict[str, float | None]]:
    """By key: `work_s`, run time of last attempts so far; `estimate_s`, of all that was planned."""
    return {e.pk: _speed_of_ended(e.pk) if _is_over(e) else _speed(e.pk) for e in executions}


def _is_over(execution: Execution) -> bool:
    return execution.state in FINAL_EXECUTION_STATES


@lru_cache(maxsize=4096)
def _speed_of_ended(pk: int) -> dict[str, float | None]:
    """Terminal states never change, so that this is read once a process."""
    return _speed(pk)


def _speed(pk: int) -> dict[str, float | None]:
    now = time.time()
    work_s = estimate_s = 0.0
    rows = TaskRun.objects.filter(execution_id=pk)
    for started, finished, duration_s in rows.values_list(
        "started_at", "finished_at", "duration_s"
    ).iterator():
        estimate_s += duration_s or 0.0
        if started is not None:
            work_s += (finished.timestamp() if finished else now) - started.timestamp()
    return {"work_s": round(work_s, 3), "estimate_s": round(estimate_s, 3) or None}


def whys_now(visible: set[int]) -> list[dict[str, Any]]:
    """What queued tasks wait for now, the most waited for first.

    `visible` are keys of executions that may be named; what belongs to others is only counted.
    """
    counts: Counter[str] = Counter()
    names: dict[str, str] = {}
    waiting = Demand.objects.filter(
        queued__gt=0, execution__state__in=sorted(OPEN_EXECUTION_STATES)
    ).values_list("keys", "queued", "execution_id", "execution__name")
    for keys, queued, pk, name in waiting:
        for key in keys:
            if "/" not in key or pk in visible:
                counts[key] += queued
                names[key] = name
    holders = limit_holders()
    return [
        {
            "key": key,
            "tasks": count,
            "execution": key.partition("/")[0] if "/" in key else "",
            "name": names[key],
            "holders": list(_named(holders.get(key, ()), visible)) if "resource:" in key else [],  # type: ignore[call-overload]
        }
        for key, count in counts.most_common(WHYS_SHOWN)
    ]


def _named(holders: Iterable[dict[str, Any]], visible: set[int]) -> Iterator[dict[str, Any]]:
    for holder in list(holders)[:HOLDERS_SHOWN]:
        if holder["execution"] in visible:
            yield holder
