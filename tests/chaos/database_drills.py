"""Rows 7 and 8: the database goes away, comes back, is held, is full."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.contrib.auth import get_user_model
from django.db import connection
from rest_framework.test import APIClient

from executions.models import Attempt, Execution
from executions.scheduling.model import Reason
from tests.chaos.load import mixed
from tests.chaos.site import sqlite_held
from tests.chaos.spread import cluster
from tests.chaos.stage import Stage, after, drill

DISK_BYTES = 6_000_000
HOLD_WITHIN_S = 20.0


def _nothing_lost(execution: Execution) -> None:
    lost = Attempt.objects.filter(execution=execution, reason=Reason.WORKER_LOST).count()
    assert lost == 0, f"{lost} attempts lost"


@drill("7", databases=("postgresql",))
def postgres_restarted(stage: Stage) -> str:
    """PostgreSQL ends at once and starts anew; then is away for 30 s, and for 120 s."""
    server = cluster()
    for down_s in (0.0, 30 * stage.tempo, 120 * stage.tempo):
        execution = stage.load(seconds=2.0)
        stage.running(execution)
        connection.close()
        server.stop("immediate")
        after(down_s)
        server.start()
        stage.finish(execution)
        _nothing_lost(execution)
    return "nothing lost on return"


def terminate_sessions() -> int:
    """End every session of PostgreSQL but this one; how many there were."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND datname = current_database()"
        )
        return int(cursor.fetchone()[0])


@drill("7t", databases=("postgresql",))
def sessions_terminated(stage: Stage) -> str:
    """Every session of PostgreSQL is terminated each second, ten times."""
    execution = stage.load(tasks=40)
    stage.running(execution)
    ended = 0
    for _ in range(10):
        after(1.0)
        ended += terminate_sessions()
    stage.finish(execution)
    _nothing_lost(execution)
    return f"{ended} sessions ended, nothing lost"


@drill("8", databases=("sqlite",))
def held_exclusively(stage: Stage) -> str:
    """SQLite is held exclusively for 15 s: everyone waits, nothing is lost."""
    execution = stage.load()
    stage.running(execution)
    connection.close()
    with sqlite_held(HOLD_WITHIN_S):
        after(15.0)
    stage.finish(execution)
    _nothing_lost(execution)
    return "nothing lost"


def _why_no_disk() -> str:
    return "" if os.geteuid() == 0 else "a file system of its own needs root"


@contextmanager
def _small_disk(var: Path) -> Iterator[dict[str, str]]:
    """The database lies on a file system of a few MB; all else has room."""
    disk = var / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "pexec-drill", str(disk)]
    subprocess.run(mount, check=True)
    try:
        yield {"DATABASE_URL": f"sqlite:///{disk}/pexec.sqlite3", "DRILL_DISK": str(disk)}
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        try:
            for size in (65536, 4096, 512):
                while file.write(b"x" * size) == size:
                    pass
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise


def submitted_over_rest(stage: Stage, tasks: int) -> tuple[int, str]:
    """What REST answers to a new run: (status, detail)."""
    client = APIClient(raise_request_exception=False, HTTP_HOST="localhost")
    client.force_authenticate(get_user_model()(username="drill", is_superuser=True, pk=1))
    spec = mixed(stage.seed, stage.diary, tasks, 0.1)
    answer = client.post("/api/v1/executions/", {"spec": spec}, format="json")
    return answer.status_code, answer.json().get("detail", "")


@drill("8d", databases=("sqlite",), missing=_why_no_disk, surroundings=_small_disk)
def disk_full(stage: Stage) -> str:
    """The disk of the database is full: new runs are refused with a reason; then there is room."""
    disk = Path(os.environ["DRILL_DISK"])
    execution = stage.load(tasks=30)
    stage.running(execution)
    filler = disk / "filler"
    for _ in range(20):
        _fill(filler)
        status, detail = submitted_over_rest(stage, tasks=400)
        if status != 201:
            break
    assert status == 503, f"{status}: {detail}"
    assert "Nothing was saved" in detail, detail
    accepted = Execution.objects.count()
    after(5.0)
    assert shutil.disk_usage(disk).free < 65536, "the disk did not stay full"
    filler.unlink()
    stage.finish(execution)
    for other in Execution.objects.exclude(pk=execution.pk):
        stage.finish(other)
    _nothing_lost(execution)
    return f"503 while full, {accepted} accepted runs ended"
