"""Row 18: a site of an older release is upgraded, process by process, with a run in flight."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

from django.core.management import call_command

from executions.models import Attempt, Execution
from executions.scheduling.model import Reason
from tests.chaos.load import mixed
from tests.chaos.site import ROOT, wait_until
from tests.chaos.stage import Stage, drill

MIGRATIONS = "executions/migrations"
SUBMIT = """
import json, os, sys, django
django.setup()
from django.contrib.auth import get_user_model
from executions import services, specs
user = get_user_model().objects.get(username="drill")
spec = specs.parse(sys.stdin.read(), format="json")
print(json.dumps(services.execution_submit(user=user, spec=spec).pk))
"""


def _git(*arguments: str) -> bytes:
    return subprocess.run(
        ["git", *arguments], cwd=ROOT, check=True, capture_output=True
    ).stdout.strip()


def before_last_migration() -> str:
    """The last commit without the newest migration; empty where history does not go so far."""
    try:
        newest = _git("log", "-1", "--diff-filter=A", "--format=%H", "--", f"{MIGRATIONS}/0*.py")
        return _git("rev-parse", "--verify", f"{newest.decode()}^").decode() if newest else ""
    except (OSError, subprocess.CalledProcessError):
        return ""


def _why_no_history() -> str:
    return "" if before_last_migration() else "the project's history is not here"


@contextmanager
def _older_code(var: Path) -> Iterator[dict[str, str]]:
    """The tree as it was before the newest migration."""
    code = var / "older"
    with tarfile.open(fileobj=BytesIO(_git("archive", before_last_migration()))) as tree:
        tree.extractall(code, filter="data")
    yield {"DRILL_CODE": str(code)}


@drill("18", missing=_why_no_history, surroundings=_older_code)
def site_upgraded(stage: Stage) -> str:
    """Migrate and restart each process with today's code in a run of the release before."""
    execution = _submitted_by_older_code(stage)
    stage.running(execution)
    older = list(stage.site.processes)
    call_command("migrate", verbosity=0)
    stage.pages.follow(execution)
    stage.site.code = ROOT
    for name in older:
        if name == "redis":
            continue
        stage.site.terminate(name)
        if name == "web":
            stage.site.start_web()
        elif "dispatcher" in name:
            stage.site.start_dispatcher()
        else:
            stage.site.start_worker()
        wait_until(lambda: _moves(execution), 60, f"work goes on without the older {name}")
    execution.refresh_from_db()
    stage.finish(execution)
    stage.finish(stage.load(tasks=8, seconds=0.2))
    lost = Attempt.objects.filter(execution=execution, reason=Reason.WORKER_LOST).count()
    assert lost == 0, f"{lost} attempts lost"
    assert execution.outcome == "success", execution.counts
    return f"{len(older) - 1} processes replaced one by one, {execution.total} tasks, nothing lost"


def _submitted_by_older_code(stage: Stage) -> Execution:
    spec = json.dumps(mixed(stage.seed, stage.diary, 60, 3.0))
    code = os.environ["DRILL_CODE"]
    said = subprocess.run(
        [sys.executable, "-c", SUBMIT], cwd=code, input=spec, text=True, check=True,
        stdout=subprocess.PIPE,
    ).stdout  # fmt: skip
    return Execution.objects.only("pk", "state").get(pk=json.loads(said.splitlines()[-1]))


def _moves(execution: Execution) -> bool:
    """Whether something of it runs, or it is over."""
    live = Attempt.objects.filter(execution=execution, released_at=None, started_at__isnull=False)
    done = Execution.objects.filter(pk=execution.pk, completed_at__isnull=False)
    return live.exists() or done.exists()
