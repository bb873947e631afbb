"""Rows 4 and 5 at the worst moment: a leader stopped before a commit, a worker cut off."""

from __future__ import annotations

import signal
import time
from typing import Any

from executions import services
from executions.models import Attempt, Execution, Leadership, TaskRun
from tests.chaos.site import is_in_transaction, is_stopped, wait_until
from tests.chaos.stage import (
    Stage,
    after,
    drill,
    ended_before_freed,
    holder_of,
    long_running,
    process_of,
    tokens_at_work,
)

STARTS_OVER = "starts over"
"""What a dispatcher says in its log when it forgets all and asks for the lease again."""


@drill("4t")
def leader_stopped_before_a_commit(stage: Stage) -> str:
    """The leader stops with a decision unwritten and goes on after its term: it changes nothing."""
    stage.site.stop_all("dispatcher")
    old = stage.site.start_dispatcher(DRILL_STOP="5")
    execution = stage.load()
    pid = stage.site.processes[old].pid

    def stands() -> bool:
        """Before a commit, with no other thread of it in a transaction (see Site.freeze)."""
        wait_until(lambda: is_stopped(pid), 40, "the leader stands before a commit")
        if not is_in_transaction(old):
            return True
        stage.site.send(old, signal.SIGCONT)
        return False

    wait_until(stands, 60, "the leader stands and holds no lock")
    stopped_at = time.monotonic()
    term = Leadership.objects.get().term
    stage.site.start_dispatcher()
    wait_until(lambda: Leadership.objects.get().term > term, 20 * stage.tempo + 10, "a new leader")
    led_s = time.monotonic() - stopped_at
    stage.finish(execution)
    before = rows_of(execution)
    log = stage.site.var / f"{old}.log"
    starts = log.read_text().count(STARTS_OVER)
    stage.site.send(old, signal.SIGCONT)

    def changed() -> int:
        return sum(a != b for a, b in zip(before, rows_of(execution), strict=True))

    wait_until(
        lambda: changed() or log.read_text().count(STARTS_OVER) > starts,
        30,
        "the old leader sees it is none",
    )
    after(2 * stage.tempo)
    assert not changed(), f"{changed()} rows changed under a stale term"
    return f"new leader after {led_s:.1f} s, 0 rows changed under the old term"


def rows_of(execution: Execution) -> list[dict[str, Any]]:
    """Everything that is kept of a run."""
    return [
        *Execution.objects.filter(pk=execution.pk).values(),
        *TaskRun.objects.filter(execution=execution).order_by("position").values(),
        *Attempt.objects.filter(execution=execution).order_by("pk").values(),
    ]


@drill("5c")
def worker_cut_off(stage: Stage) -> str:
    """A worker reaches nobody: it stops what it runs before its permits are used again."""
    stage.site.stop_all("worker")
    sign = stage.site.var / "cut"
    stage.site.start_worker(DRILL_CUT=str(sign))
    execution = stage.submit(long_running(stage, seconds=60 * stage.tempo + 10))
    stage.running(execution, 2)
    incarnation = holder_of(execution)
    name = process_of(stage.site, incarnation)
    live = Attempt.objects.filter(worker=incarnation, released_at=None)
    tokens = tokens_at_work(live)
    sign.touch()
    ended_s, freed_s = ended_before_freed(stage, tokens)
    sign.unlink()
    stage.site.start_worker()
    stage.running(execution, 1)
    services.execution_cancel(execution=execution, user=None)
    stage.finish(execution)
    stage.site.processes.pop(name).wait(40)  # told that it was declared gone, it ends itself
    return f"commands ended after {ended_s:.1f} s, permits free after {freed_s:.1f} s"
