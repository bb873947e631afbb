"""What drills run, and how they see what really ran.

Every task writes to one file as it begins and ends, so the claim "nothing ran twice after a
recorded completion, nothing outlived its permit" is held against the work itself, not only against
our rows.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model

from executions import services, specs
from executions.models import Execution, Secret
from executions.scheduling.model import FINAL_EXECUTION_STATES
from tests.chaos.site import DrillTimeoutError, wait_until

SECRET = "drilled-0f3c9a7e51"
"""Printed by some tasks; nobody may read it."""


def keep_secret() -> None:
    """Seal it, so that tasks may use it."""
    secret = Secret(name="drill")
    secret.seal(SECRET)
    secret.save()


@dataclass(frozen=True, slots=True)
class Trace:
    """One attempt as the work itself wrote it down; `ended_at` None: it was stopped."""

    task: str
    attempt: int
    token: str
    began_at: float
    ended_at: float | None


def mixed(seed: int, diary: Path, tasks: int = 40, seconds: float = 1.0) -> dict[str, Any]:
    """A group over teams, types and an exclusive resource, with dependencies, all in shell."""
    dice = random.Random(seed)
    rows = []
    for n in range(tasks):
        wanted = dice.choice([0, 0, 1, 2]) if n else 0
        row: dict[str, Any] = {
            "id": f"T{n:03}",
            "runner": "shell",
            "payload": {"command": command(diary, dice.uniform(0.1, 1.0) * seconds)},
            "priority": dice.choice([30, 50, 50, 75, 95]),
            "team": dice.choice(["pm_team", "dev_team", "design_team"]),
            "task_type": dice.choice(["api_calls", "heavy_computation", "light_tasks"]),
            "depends_on": sorted({f"T{dice.randrange(n):03}" for _ in range(wanted)}),
        }
        if dice.random() < 0.2:
            row["required_resources"] = [{"id": "drill-db", "exclusive": dice.random() < 0.5}]
        if dice.random() < 0.2:
            row["payload"]["env"] = {"DRILL_SECRET": "${secret:drill}"}
        rows.append(row)
    return {
        "name": f"drill-{seed}",
        "max_concurrency": 8,
        "failure_strategy": "retry_failed",
        "max_retries": 2,
        "resources": {"drill-db": {"capacity": 3}},
        "tasks": rows,
    }


def command(diary: Path, seconds: float) -> str:
    """A shell command that keeps a diary: begun, and ended if it was let."""
    say = f'"$PEXEC_TASK $PEXEC_ATTEMPT $PEXEC_TOKEN $(date +%s.%N)" >> {diary}'
    return f"echo begin {say}; echo $DRILL_SECRET; sleep {seconds:.2f}; echo end {say}"


def traces(diary: Path) -> list[Trace]:
    """What the diary says, an entry an attempt."""
    begun: dict[str, tuple[str, int, float]] = {}
    ended: dict[str, float] = {}
    starts: defaultdict[str, int] = defaultdict(int)
    for line in diary.read_text().splitlines() if diary.exists() else ():
        what, task, attempt, token, at = line.split()
        if what == "begin":
            starts[token] += 1
            begun[token] = (task, int(attempt), float(at))
        else:
            ended[token] = float(at)
    twice = [token for token, n in starts.items() if n > 1]
    if twice:
        raise AssertionError(f"attempts started twice: {[begun[t][:2] for t in twice]}")
    return [Trace(t, n, token, at, ended.get(token)) for token, (t, n, at) in begun.items()]


def submit(spec: dict[str, Any]) -> Execution:
    """Accept a run, as REST would."""
    user = get_user_model().objects.get(username="drill")
    return services.execution_submit(user=user, spec=specs.parse(json.dumps(spec), format="json"))


def finished(
    execution: Execution, within_s: float, meanwhile: Callable[[], None] = lambda: None
) -> Execution:
    """Wait for its end, and do something again and again meanwhile."""

    def is_over() -> bool:
        meanwhile()
        execution.refresh_from_db()
        return execution.state in FINAL_EXECUTION_STATES

    try:
        wait_until(is_over, within_s, f"{execution} ends")
    except DrillTimeoutError as error:
        live = execution.task_runs.filter(attempt_log__released_at=None, attempts__gt=0)
        names = ("task_id", "attempts", "attempt_log__state", "attempt_log__worker")
        rows = list(live.values_list(*names, "attempt_log__token"))
        raise DrillTimeoutError(f"{error}; {execution.state} {execution.counts} {rows}") from None
    return execution
