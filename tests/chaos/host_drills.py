"""Row 19: workers and dispatchers on hosts of their own, cut off from Redis, the database, both.

Packets are dropped, connections not ended: nobody is told, as where a switch or a cable fails.
"""

from __future__ import annotations

import time

from executions.models import Attempt, Execution, Leadership
from executions.scheduling.model import Reason
from tests.chaos import network
from tests.chaos.load import finished, submit
from tests.chaos.site import Site, wait_until
from tests.chaos.spread import PLACES, cuts, host_of, spread, start
from tests.chaos.stage import (
    HEAL_S,
    Stage,
    after,
    drill,
    ended_before_freed,
    holder_of,
    long_running,
    process_of,
    tokens_at_work,
)

SHORT_S, LONG_S = 10.0, 70.0
"""Shorter than a lease and the time to a self-stop; longer than the time to be declared lost."""
SESSION_S = 20.0
"""How long PostgreSQL may keep the locks of a session whose host is cut off."""


def _cuts(tempo: float) -> list[tuple[tuple[str, ...], float]]:
    return [(targets, s * tempo) for targets in cuts() for s in (SHORT_S, LONG_S)]


def _spread(stage: Stage, kind: str) -> None:
    """One of `kind` on each of two hosts, one of the other kind on a third."""
    site = stage.site
    spread(site)
    site.start_web()
    both = [(kind, host) for host in PLACES]
    other = [("worker" if kind == "dispatcher" else "dispatcher", "router")]
    for one, host in both + other if kind == "dispatcher" else other + both:
        start(site, one, host)


def _restart_ended(site: Site) -> None:
    """What ended itself is started again where it was, as a service manager does."""
    for name, process in list(site.processes.items()):
        if process.poll() is None:
            continue
        del site.processes[name]
        kind = "worker" if "worker" in name else "dispatcher"
        start(site, kind, host_of(name))


def _lost(execution: Execution) -> int:
    return Attempt.objects.filter(execution=execution, reason=Reason.WORKER_LOST).count()


@drill(
    "19",
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
    host = host_of(process_of(stage.site, worker))
    held = Attempt.objects.filter(worker=worker, released_at=None, state="running")
    tokens = tokens_at_work(held) if is_alone else set()
    begun = time.monotonic()
    said = f"no {'/'.join(targets)} {cut_s:.0f} s: "
    with network.cut(host, *targets):
        if is_alone:
            said += "commands dead {:.0f} s, permits free {:.0f} s, ".format(
                *ended_before_freed(stage, tokens)
            )
        after(max(cut_s - (time.monotonic() - begun), 0.0))
    return said + _healed(stage, execution, may_lose=is_alone)


def _healed(stage: Stage, execution: Execution, *, may_lose: bool = False) -> str:
    begun = time.monotonic()
    finished(execution, HEAL_S + 45 * stage.tempo, lambda: _restart_ended(stage.site))
    lost = _lost(execution)
    assert may_lose or not lost, f"{lost} attempts lost"
    return f"over {time.monotonic() - begun:.0f} s after"


@drill(
    "19d",
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
    host = host_of(next(name for name, process in processes if process.pid == pid))
    begun = time.monotonic()
    said = f"no {'/'.join(targets)} {cut_s:.0f} s: "
    with network.cut(host, *targets):
        if cut_s > SHORT_S * stage.tempo:
            others = Leadership.objects.exclude(holder=leader.holder).filter(pk=1)
            wait_until(others.exists, 35 * stage.tempo + SESSION_S, "another one leads")
            said += f"another led {time.monotonic() - begun:.0f} s, "
        after(max(cut_s - (time.monotonic() - begun), 0.0))
    return said + _healed(stage, execution)
