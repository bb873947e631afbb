"""Row 19: workers and dispatchers on hosts of their own, cut off from Redis, the database, both.

Packets are dropped, connections not ended: nobody is told, as where a switch or a cable fails.
"""

from __future__ import annotations

import getpass
import os
import time
from pathlib import Path

from django.db import connection

from executions.models import Attempt, Execution, Leadership
from executions.scheduling.model import FINAL_EXECUTION_STATES, Reason
from tests.chaos import network
from tests.chaos.load import submit
from tests.chaos.site import wait_until
from tests.chaos.stage import (
    HEAL_S,
    SLACK_S,
    Stage,
    after,
    drill,
    holder_of,
    long_running,
    marked_processes,
    process_of,
)
from tests.postgres import Cluster

CUTS = (("redis",), ("database",), ("redis", "database"))
SHORT_S, LONG_S = 10.0, 70.0
"""Shorter than a lease and the time to a self-stop; longer than the time to be declared lost."""
SESSION_S = 20.0
"""How long PostgreSQL may keep the locks of a session whose host is cut off."""


def _cuts(tempo: float) -> list[tuple[tuple[str, ...], float]]:
    return [(targets, s * tempo) for targets in CUTS for s in (SHORT_S, LONG_S)]


def _spread(stage: Stage, kind: str) -> None:
    """Redis and the database on hosts of their own; one of `kind` on each of `a` and `b`."""
    site = stage.site
    site.stop()
    connection.close()
    cluster = Cluster(Path(os.environ["DRILL_POSTGRES"]))
    cluster.stop()
    with (cluster.data / "pg_hba.conf").open("a") as file:
        file.write("host all all 10.71.0.0/16 trust\n")
    place = network.address("database")
    Cluster(cluster.home, addresses=place, within=network.within("database")).start()
    site.env |= {
        "REDIS_URL": f"redis://{network.address('redis')}:6379/0",
        "DATABASE_URL": f"postgres://{getpass.getuser()}@{place}:5432/pexec",
    }
    other = "worker" if kind == "dispatcher" else "dispatcher"
    site.within |= {"redis": network.within("redis"), f"{other}-x": network.within("router")}
    site.within |= {"web": network.within("router")}
    site.within |= {f"{kind}-{host}": network.within(host) for host in "ab"}
    bound = ("--bind", network.address("redis"), "--protected-mode", "no")  # nobody else is there
    site.start_redis("--port", "6379", *bound)
    for name in sorted(site.within, reverse=kind == "dispatcher"):
        _start(stage, name)


def _start(stage: Stage, name: str) -> None:
    if "worker" in name:
        stage.site.start_worker(name=name)
    elif "dispatcher" in name:
        stage.site.start_dispatcher(name=name)
    elif name == "web":
        stage.site.start_web()


def _restart_ended(stage: Stage) -> None:
    """What ended itself is started again, as a service manager does."""
    for name, process in list(stage.site.processes.items()):
        if process.poll() is not None:
            _start(stage, name)


def _lost(execution: Execution) -> int:
    return Attempt.objects.filter(execution=execution, reason=Reason.WORKER_LOST).count()


def _stopped_before_freed(stage: Stage, tokens: set[str], begun: float) -> str:
    """Of a worker cut off from all: its commands end before their permits are free."""
    live = Attempt.objects.filter(token__in=tokens, released_at=None)
    limit_s = 25 * stage.tempo + 6
    wait_until(lambda: not marked_processes(tokens), limit_s, "its commands are killed")
    dead_s = time.monotonic() - begun
    assert live.count() == len(tokens), "permits were given away before the commands were dead"
    wait_until(lambda: not live.exists(), 60 * stage.tempo + SLACK_S, "permits are freed")
    return f"commands dead {dead_s:.0f} s, permits free {time.monotonic() - begun:.0f} s"


@drill(
    "19",
    databases=("postgresql",),
    missing=network.why_no_network,
    surroundings=network.hosts,
)
def worker_cut_off(stage: Stage) -> str:
    """A worker's host is cut off from Redis, the database, both; for a moment, and for long."""
    _spread(stage, "worker")
    return "; ".join(_cut_worker(stage, *cut) for cut in _cuts(stage.tempo))


def _cut_worker(stage: Stage, targets: tuple[str, ...], cut_s: float) -> str:
    is_alone = len(targets) > 1 and cut_s > SHORT_S * stage.tempo
    if is_alone:
        execution = submit(long_running(stage, seconds=40 * stage.tempo + 10, tasks=8))
    else:
        execution = stage.load(seconds=2.0)
    stage.running(execution)
    worker = holder_of(execution)
    host = process_of(stage.site, worker)[-1]
    held = Attempt.objects.filter(worker=worker, released_at=None, state="running")
    tokens = set(held.values_list("token", flat=True))
    begun = time.monotonic()
    said = f"no {'/'.join(targets)} {cut_s:.0f} s: "
    with network.cut(host, *targets):
        if is_alone:
            said += _stopped_before_freed(stage, tokens, begun) + ", "
        after(max(cut_s - (time.monotonic() - begun), 0.0))
    return said + _healed(stage, execution, may_lose=is_alone)


def _healed(stage: Stage, execution: Execution, *, may_lose: bool = False) -> str:
    begun = time.monotonic()

    def is_over() -> bool:
        _restart_ended(stage)
        execution.refresh_from_db()
        return execution.state in FINAL_EXECUTION_STATES

    wait_until(is_over, HEAL_S + 45 * stage.tempo, f"{execution} ends")
    lost = _lost(execution)
    assert may_lose or not lost, f"{lost} attempts lost"
    return f"over {time.monotonic() - begun:.0f} s after"


@drill(
    "19d",
    databases=("postgresql",),
    missing=network.why_no_network,
    surroundings=network.hosts,
)
def dispatcher_cut_off(stage: Stage) -> str:
    """The leader's host is cut off from Redis, the database, both; another one leads."""
    _spread(stage, "dispatcher")
    return "; ".join(_cut_leader(stage, *cut) for cut in _cuts(stage.tempo))


def _cut_leader(stage: Stage, targets: tuple[str, ...], cut_s: float) -> str:
    execution = stage.load(tasks=40, seconds=2.0)
    stage.running(execution)
    leader = Leadership.objects.get()
    pid = int(leader.holder.split(":")[1])
    processes = stage.site.processes.items()
    host = next(name for name, process in processes if process.pid == pid)[-1]
    begun = time.monotonic()
    said = f"no {'/'.join(targets)} {cut_s:.0f} s: "
    with network.cut(host, *targets):
        if cut_s > SHORT_S * stage.tempo:
            others = Leadership.objects.exclude(holder=leader.holder).filter(pk=1)
            wait_until(others.exists, 35 * stage.tempo + SESSION_S, "another one leads")
            said += f"another led {time.monotonic() - begun:.0f} s, "
        after(max(cut_s - (time.monotonic() - begun), 0.0))
    return said + _healed(stage, execution)
