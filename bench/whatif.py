"""How far what-if is off reality: real runs of sleeping tasks, replayed, and run again changed.

Each group runs through the whole site twice, the second time under other limits. The first run's
what-if has to give its own makespan (unchanged limits) and foretell the second's.
"""

from __future__ import annotations

import random
import tempfile
from typing import Any

from bench.tables import Row, Subject
from bench.throughput import prepare, run, site

GROUPS = 3
TASKS = 48
SECONDS = (0.2, 1.4)
FIRST = {"max_concurrency": 5, "team:dev_team": 3, "task_type:heavy_computation": 1}
SECOND = {"max_concurrency": 8, "team:dev_team": 5, "task_type:heavy_computation": 2}


def sleepers(seed: int, limits: dict[str, int], count: int = TASKS) -> dict[str, Any]:
    """A group that its slots, a team, a type and a resource hold up in turn."""
    draw = random.Random(seed)
    tasks: list[dict[str, Any]] = []
    for n in range(count):
        seconds = round(draw.uniform(*SECONDS), 2)
        task = {
            "id": f"T{n:02}",
            "runner": "sleep",
            "payload": {"seconds": seconds},
            "duration_s": round(seconds * draw.uniform(0.8, 1.25), 2),
            "team": draw.choice(["dev_team"] * 5 + ["design_team", "pm_team"]),
            "depends_on": sorted(
                {f"T{draw.randrange(n):02}" for _ in range(draw.choice([0, 0, 1])) if n}
            ),
        }
        if draw.random() < 0.15:
            task["task_type"] = "heavy_computation"
        if draw.random() < 0.2:
            alone = draw.random() < 0.3
            task["required_resources"] = [{"id": "bench-licence", "exclusive": alone}]
        tasks.append(task)
    own: dict[str, dict[str, int]] = {}
    for key, value in limits.items():
        kind, colon, name = key.partition(":")
        if colon:
            own.setdefault(kind, {})[name] = value
    return {
        "name": f"sleepers-{seed}",
        "max_concurrency": limits["max_concurrency"],
        "limits": own,
        "resources": {"bench-licence": {"capacity": 2}},
        "tasks": tasks,
    }


def measure() -> Subject:
    """The worst error of all groups, and each one's."""
    with tempfile.TemporaryDirectory(prefix="pexec-bench-") as var:
        prepare(var)
        with site(var, slots=16, contender=False):
            found = [_measured(seed) for seed in range(1, GROUPS + 1)]
    return Subject(
        [
            Row("replay off the real run", max(abs(f["replay_%"]) for f in found), "%", 2.0, 0.5),
            Row("foretold off the second run", max(abs(f["told_%"]) for f in found), "%", 5.0, 2.0),
        ],
        {"groups": found},
    )


def _measured(seed: int) -> dict[str, float]:
    from executions.reporting.forecast import execution_what_if
    from executions.scheduling.model import LimitKey

    first = run(sleepers(seed, FIRST))["execution"]
    second = run(sleepers(seed, SECOND))["execution"]
    changes = {LimitKey(key): value for key, value in SECOND.items()}
    told = execution_what_if(first, changes)
    assert told.error is not None
    second_s = (second.completed_at - second.started_at).total_seconds()
    return {
        "real_s": told.real_s or 0.0,
        "second_s": second_s,
        "told_s": told.makespan_s,
        "replay_%": 100 * told.error,
        "told_%": 100 * (told.makespan_s / second_s - 1),
    }
