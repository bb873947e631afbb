"""How fast durable no-op tasks go through a whole site, against Celery groups on the same machine.

The site is started as `make run` starts it, on SQLite, or on DATABASE_URL (`bench.postgresql`
sets it). Each round is our run, then the contender's, so that both meet the same machine.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from bench.tables import REPOSITORY, Row, Subject

TASKS = 2000
CHAIN = 300
ROUNDS = 3
TICKS_S = 1 / os.sysconf("SC_CLK_TCK")
CONTENDER = "bench.contender"


def measure() -> Subject:
    """Throughput, CPU, hand-over, growth, and the ratio to `celery group` with Redis results."""
    with tempfile.TemporaryDirectory(prefix="pexec-bench-") as var:
        prepare(var)
        with site(var):
            run(spec("warm", 200))
            rounds = [_round(var) for _ in range(ROUNDS)]
            handover = handovers_ms(run(spec("chain", CHAIN, chained=True)))
            small = 500 / run(spec("small", 500))["seconds"]
            large = 8000 / run(spec("large", 8000))["seconds"]
    ours, theirs = ([r[name] for r in rounds] for name in ("ours", "theirs"))
    on_sqlite = "DATABASE_URL" not in os.environ
    longest_ms = 10.0 if on_sqlite else 15.0
    return Subject(
        [
            Row("no-op tasks, durable and live", median(ours), "/s", more_is_better=True),
            Row("celery group with Redis results", median(theirs), "/s", more_is_better=True),
            Row(
                "times the contender, pair by pair",
                median(a / b for a, b in zip(ours, theirs, strict=True)),
                must=3 if on_sqlite else 2,
                aim=5 if on_sqlite else 4,
                more_is_better=True,
            ),
            Row("CPU a task, all processes", median(r["cpu_ms"] for r in rounds), "ms", 1.0, 0.6),
            Row("hand-over, median", median(handover), "ms", longest_ms, 1.0),
            Row("hand-over, 95 %", handover[int(len(handover) * 0.95)], "ms", longest_ms),
            Row("cost a task at 8,000 over 500", small / large, "", 1.2, 1.0),
        ],
        {"rounds": rounds, "handover_ms": handover},
    )


def spec(name: str, count: int, *, chained: bool = False) -> dict[str, Any]:
    """No-op tasks under team and type limits, eight at once; or one after another."""
    tasks = [
        {"id": f"T{n}", "depends_on": [f"T{n - 1}"]}
        if chained and n
        else {"id": f"T{n}", "team": "dev_team", "task_type": "light_tasks"}
        for n in range(count)
    ]
    return {"name": name, "max_concurrency": 8, "planning": False, "tasks": tasks}


def prepare(var: str) -> None:
    """Settings for this process: the same database and Redis as the site's."""
    os.environ |= {"PEXEC_VAR": var, "DJANGO_SETTINGS_MODULE": "pexec_site.settings"}
    import django

    django.setup()


@contextmanager
def site(var: str, *, slots: int = 8, contender: bool = True) -> Iterator[int]:
    """`manage.py up` in a directory of its own, with so many lanes; and the contender's worker.

    Gives the port.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "PORT": str(port)}
    up = subprocess.Popen(
        [sys.executable, "manage.py", "up", "--no-demo", "--slots", str(slots)],
        cwd=REPOSITORY,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    other: subprocess.Popen[bytes] | None = None
    try:
        assert up.stdout is not None
        if not re.search("password", up.stdout.readline()):
            raise RuntimeError(f"the site did not start; see {var}/log")
        if contender:
            other = _start_contender(environment)
        yield port
    finally:
        if other is not None:
            other.terminate()
            other.wait()
        up.terminate()
        up.communicate()


def _start_contender(environment: dict[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "celery", "-A", CONTENDER, "worker", "-P", "threads"),
            *("-c", "8", "-Q", "contender", "-n", "contender@%h", "-l", "error"),
            *("--without-gossip", "--without-mingle", "--without-heartbeat"),
        ],
        cwd=REPOSITORY,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _round(var: str) -> dict[str, float]:
    before = cpu_s(var)
    ours = run(spec("ours", TASKS))["seconds"]
    spent = cpu_s(var) - before
    return {
        "ours": TASKS / ours,
        "theirs": TASKS / _contender(TASKS),
        "cpu_ms": 1000 * spent / TASKS,
    }


def run(given: dict[str, Any]) -> dict[str, Any]:
    """From submit to the recorded report; looks at the one row that says that it is over."""
    import json

    from django.contrib.auth import get_user_model

    from executions import services, specs
    from executions.models import Execution
    from executions.reporting.report import execution_report

    user = get_user_model().objects.get(is_superuser=True)
    text = json.dumps(given)
    began = time.perf_counter()
    execution = services.execution_submit(user=user, spec=specs.parse(text, format="json"))
    over = Execution.objects.filter(pk=execution.pk, completed_at__isnull=False)
    while not over.exists():
        time.sleep(0.05)
    execution.refresh_from_db()
    execution_report(execution)
    return {"seconds": time.perf_counter() - began, "execution": execution}


def handovers_ms(ran: dict[str, Any]) -> list[float]:
    """From the end of a task to the start of its dependent, sorted."""
    from executions.models import Attempt

    rows = Attempt.objects.filter(execution=ran["execution"]).order_by("started_at")
    moments = list(rows.values_list("started_at", "finished_at"))
    return sorted(
        1000 * (later[0] - earlier[1]).total_seconds() for earlier, later in pairwise(moments)
    )


def _contender(count: int) -> float:
    from celery import group

    from bench.contender import nothing

    began = time.perf_counter()
    group(nothing.s() for _ in range(count)).apply_async().get(timeout=300)
    return time.perf_counter() - began


def cpu_s(var: str) -> float:
    """CPU seconds that the site's processes have used (all whose environment names it, but us)."""
    mark = f"PEXEC_VAR={var}".encode()
    total = 0
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if path.name == str(os.getpid()) or mark not in (path / "environ").read_bytes():
                continue
            if CONTENDER.encode() in (path / "cmdline").read_bytes():
                continue
            fields = (path / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += int(fields[11]) + int(fields[12])
    return total * TICKS_S
