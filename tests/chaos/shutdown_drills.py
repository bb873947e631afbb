"""Row 2, told otherwise: a worker that is to end while Redis is silent, or that is told twice."""

from __future__ import annotations

import signal
import time

from executions import services
from executions.models import Attempt, TaskRun
from tests.chaos.load import submit
from tests.chaos.site import wait_until
from tests.chaos.stage import Stage, drill, holder_of, long_running, process_of

GRACE_S = 40.0
"""What docker-compose.yml grants a container until it is killed."""


@drill("2s")
def ended_while_redis_is_silent(stage: Stage) -> str:
    """TERM a worker while Redis answers nothing: it ends within its grace."""
    execution = stage.load(seconds=2.0)
    stage.running(execution)
    name = process_of(stage.site, holder_of(execution))
    stage.site.send("redis", signal.SIGSTOP)
    begun = time.monotonic()
    try:
        stage.site.terminate(name, within_s=GRACE_S)
    finally:
        stage.site.send("redis", signal.SIGCONT)
    took_s = time.monotonic() - begun
    stage.finish(execution)
    return f"ended in {took_s:.0f} s"


@drill("2i")
def told_twice(stage: Stage) -> str:
    """INT a worker twice (Ctrl-C, Ctrl-C): long commands are handed back, no retry is used up."""
    execution = submit(long_running(stage, seconds=120.0))
    stage.running(execution, 2)
    incarnation = holder_of(execution)
    name = process_of(stage.site, incarnation)
    process = stage.site.processes.pop(name)
    begun = time.monotonic()
    process.send_signal(signal.SIGINT)
    wait_until(lambda: "Warm shutdown" in _log(stage, name), 10, "it is ending")
    process.send_signal(signal.SIGINT)
    process.wait(GRACE_S)
    took_s = time.monotonic() - begun
    its = Attempt.objects.filter(worker=incarnation)
    wait_until(lambda: not its.filter(released_at=None).exists(), 20, "it holds nothing")
    used = TaskRun.objects.filter(execution=execution).exclude(failures=0, losses=0).count()
    assert used == 0, f"{used} tasks had a retry used up"
    assert its.filter(state="returned").exists()
    services.execution_cancel(execution=execution, user=None)
    stage.finish(execution)
    return f"ended in {took_s:.0f} s, no retry used"


def _log(stage: Stage, name: str) -> str:
    return (stage.site.var / f"{name}.log").read_text(errors="replace")
