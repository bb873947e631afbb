"""The fault table of the promise, row by row: break it, let it heal, see that nothing was lost.

A drill gets a running site and a tempo (see executions/dispatch/timing.py), raises AssertionError
where the promise is broken, and says in a few words what it saw. What holds after every drill is
checked by `verdict`.
"""

from __future__ import annotations

import random
import signal
import time

from django.utils import timezone

from executions import services
from executions.models import Attempt, Execution, Leadership, TaskRun
from executions.scheduling.model import AttemptState, Reason
from tests.chaos.load import finished
from tests.chaos.site import wait_until
from tests.chaos.stage import (
    HEAL_S,
    SLACK_S,
    Stage,
    drill,
    ended_before_freed,
    flush_redis,
    holder_of,
    is_over,
    long_running,
    marked_processes,
    process_of,
    tokens_at_work,
)


@drill("1")
def worker_killed(stage: Stage) -> str:
    """Kill -9 a worker with work: its trees are gone soon, its work is tried again."""
    execution = stage.load()
    stage.running(execution)
    incarnation = holder_of(execution)
    tokens = set(
        Attempt.objects.filter(worker=incarnation, released_at=None).values_list("token", flat=True)
    )
    killed_at = time.monotonic()
    stage.site.kill(process_of(stage.site, incarnation))
    wait_until(lambda: not marked_processes(tokens), 6, "its process trees are gone")
    gone_s = time.monotonic() - killed_at
    live = Attempt.objects.filter(worker=incarnation, released_at=None)
    wait_until(lambda: not live.exists(), 60 * stage.tempo + SLACK_S, "its permits are freed")
    freed_s = time.monotonic() - killed_at
    stage.site.start_worker()
    stage.finish(execution)
    return f"trees gone after {gone_s:.1f} s, permits free after {freed_s:.1f} s"


@drill("2")
def worker_terminated(stage: Stage) -> str:
    """TERM a worker: what runs is finished or handed back, no retry is used up."""
    execution = stage.load(seconds=2.0)
    stage.running(execution)
    begun = time.monotonic()
    stage.site.terminate(process_of(stage.site, holder_of(execution)))
    took_s = time.monotonic() - begun
    stage.finish(execution)
    used = TaskRun.objects.filter(execution=execution).exclude(failures=0, losses=0).count()
    assert used == 0, f"{used} tasks had a retry used up"
    return f"drained in {took_s:.1f} s, no retry used"


HEARD_S = 10.0
"""What a busy machine may need for an order to be sent again and to be heard."""


def unheard(execution: Execution) -> set[str]:
    """Tokens of the orders that no worker has said it follows."""
    waiting = Attempt.objects.filter(execution=execution, state=AttemptState.DISPATCHED)
    return set(waiting.values_list("token", flat=True))


@drill("3")
def dispatcher_killed_at_points(stage: Stage) -> str:
    """Kill -9 the dispatcher at each point of its cycle; a new one goes on."""
    said = []
    stage.site.stop_all("dispatcher")
    for point in ("before_commit", "after_commit", "after_send"):
        execution = stage.load(tasks=12, seconds=0.4)
        name = stage.site.start_dispatcher(DRILL_CRASH=f"dispatcher.{point}:2")
        process = stage.site.processes.pop(name)
        wait_until(lambda p=process: p.poll() is not None, 30 + 20 * stage.tempo, f"crash {point}")
        begun = time.monotonic()
        unsent = unheard(execution)
        assert unsent or point != "after_commit", "every order was sent"
        name = stage.site.start_dispatcher()
        term = Leadership.objects.get().term
        wait_until(
            lambda t=term: Leadership.objects.get().term > t, 20 * stage.tempo + 10, "a new leader"
        )
        said.append(f"{point} {time.monotonic() - begun:.1f} s")
        within_s = 30 * stage.tempo + HEARD_S
        wait_until(
            lambda r=execution, u=unsent: not unheard(r) & u, within_s, "orders are sent again"
        )
        stage.finish(execution)
        stage.site.kill(name)
    stage.site.start_dispatcher()
    return "new leader after " + ", ".join(said)


@drill("3w")
def worker_killed_at_points(stage: Stage) -> str:
    """Kill -9 a worker at each point of an attempt."""
    stage.site.stop_all("worker")
    points = ("before_accept", "before_run", "after_run", "after_report")
    for point in points:
        execution = stage.load(tasks=10, seconds=0.3)
        crashing = stage.site.start_worker(DRILL_CRASH=f"worker.{point}:3")
        process = stage.site.processes.pop(crashing)
        wait_until(lambda p=process: p.poll() is not None, 30, f"crash at {point}")
        name = stage.site.start_worker()
        stage.finish(execution)
        stage.site.terminate(name)
    return f"{len(points)} points"


@drill("4")
def leader_stopped(stage: Stage) -> str:
    """SIGSTOP the leader for three leases, then let it go on: it changes nothing."""
    execution = stage.load(tasks=16, seconds=0.5)
    stage.running(execution, 1)
    leader = next(name for name in stage.site.processes if "dispatcher" in name)
    stage.site.freeze(leader)
    stopped_at = time.monotonic()
    term = Leadership.objects.get().term
    for _ in range(4):
        stage.site.start_dispatcher()
    wait_until(lambda: Leadership.objects.get().term > term, 20 * stage.tempo + 10, "a new leader")
    led_s = time.monotonic() - stopped_at
    rest = 45 * stage.tempo - led_s
    wait_until(lambda: time.monotonic() - stopped_at > rest, HEAL_S, "three leases")
    before = Leadership.objects.get().term
    stage.site.send(leader, signal.SIGCONT)
    stage.finish(execution)
    assert Leadership.objects.get().term >= before
    return f"five dispatchers, new leader after {led_s:.1f} s"


@drill("5")
def worker_stopped(stage: Stage) -> str:
    """SIGSTOP a worker: its commands are killed before their permits are used again."""
    execution = stage.submit(long_running(stage, seconds=40 * stage.tempo + 10))
    stage.running(execution, 2)
    incarnation = holder_of(execution)
    name = process_of(stage.site, incarnation)
    live = Attempt.objects.filter(worker=incarnation, released_at=None)
    tokens = tokens_at_work(live)
    stage.site.freeze(name)
    killed_s, freed_s = ended_before_freed(stage, tokens)
    stage.site.send(name, signal.SIGCONT)
    services.execution_cancel(execution=execution, user=None)
    stage.finish(execution)
    return f"commands dead after {killed_s:.1f} s, permits free after {freed_s:.1f} s"


@drill("6")
def redis_killed_and_emptied(stage: Stage) -> str:
    """Kill -9 Redis and lose all it held; then empty it again and again."""
    execution = stage.load(tasks=30)
    stage.running(execution)
    stage.site.kill("redis")
    down_s = 6 * stage.tempo + 1
    back_at = time.monotonic() + down_s
    wait_until(lambda: time.monotonic() > back_at, HEAL_S, "the outage is over")
    stage.site.start_redis()
    begun = time.monotonic()
    dispatched = Attempt.objects.filter(execution=execution, dispatched_at__gt=timezone.now())
    wait_until(lambda: dispatched.exists() or is_over(execution), 15, "dispatch is back")
    back_s = time.monotonic() - begun
    for _ in range(5):
        flush_redis()
        next_at = time.monotonic() + 1.0
        wait_until(lambda at=next_at: time.monotonic() > at, 5, "a while")
    stage.finish(execution)
    return f"dispatch back {back_s:.1f} s after Redis"


@drill("6s")
def redis_stopped(stage: Stage) -> str:
    """SIGSTOP Redis for a minute: what runs goes on and is recorded."""
    execution = stage.load(tasks=30)
    stage.running(execution)
    stage.site.send("redis", signal.SIGSTOP)
    until = time.monotonic() + 60 * stage.tempo
    wait_until(lambda: time.monotonic() > until, 90, "a minute")
    stage.site.send("redis", signal.SIGCONT)
    stage.finish(execution)
    lost = Attempt.objects.filter(execution=execution, reason=Reason.WORKER_LOST).count()
    assert lost == 0, f"{lost} attempts lost"
    return "nothing lost"


@drill("9")
def clock_off(stage: Stage) -> str:
    """One worker's wall clock is an hour off, one an hour early: no early timeout, no loss."""
    stage.site.stop_all("worker")
    stage.site.start_worker(DRILL_CLOCK="3600")
    stage.site.start_worker(DRILL_CLOCK="-3600")
    execution = stage.finish(stage.load())
    bad = Attempt.objects.filter(execution=execution).exclude(state=AttemptState.COMPLETED)
    assert not bad.exists(), f"{bad.count()} attempts did not complete"
    return "no timeout, no loss"


@drill("10")
def messages_repeated(stage: Stage) -> str:
    """Every message three times, out of order, late: one start, the first end wins."""
    stage.site.stop_all("worker")
    stage.site.stop_all("dispatcher")
    noise = {"DRILL_NOISE": str(stage.seed)}
    stage.site.start_dispatcher(**noise)
    for _ in range(2):
        stage.site.start_worker(**noise)
    execution = stage.finish(stage.load(tasks=16, seconds=0.3))
    attempts = Attempt.objects.filter(execution=execution).count()
    return f"{attempts} attempts, each started once"


@drill("14")
def cancelled_at_any_time(stage: Stage) -> str:
    """Cancel at many moments, twice, with Redis emptied, then down: over within ten seconds."""
    dice = random.Random(stage.seed)
    slowest = 0.0
    stage.finish(stage.load(tasks=1))  # all have started
    for round_ in range(5):
        execution = stage.load(tasks=16)
        pause = time.monotonic() + dice.uniform(0.0, 1.5)
        wait_until(lambda at=pause: time.monotonic() >= at, 5, "a moment")
        if round_ == 3:
            flush_redis()
        elif round_ == 4:
            stage.site.kill("redis")
        begun = time.monotonic()
        for _ in range(2):
            services.execution_cancel(execution=execution, user=None)
        finished(execution, 10)
        slowest = max(slowest, time.monotonic() - begun)
        tokens = set(Attempt.objects.filter(execution=execution).values_list("token", flat=True))
        wait_until(lambda t=tokens: not marked_processes(t), 6, "its processes are gone")
        Execution.objects.filter(pk=execution.pk).update(name=f"cancelled {round_}")
    stage.site.start_redis()
    return f"slowest {slowest:.1f} s"


@drill("17")
def everything_killed(stage: Stage) -> str:
    """Kill -9 of everything at once, at random moments, 50 times at full tempo."""
    dice = random.Random(stage.seed)
    execution = stage.load(tasks=40)
    rounds = max(3, round(50 * stage.tempo))
    loads = 1
    for _ in range(rounds):
        pause = time.monotonic() + dice.uniform(0.5, 4.0)
        wait_until(lambda at=pause: time.monotonic() >= at, 10, "a moment")
        for name in list(stage.site.processes):
            stage.site.kill(name)
        stage.site.start_all()
        if is_over(execution):
            execution = stage.load(tasks=40)
            loads += 1
    stage.finish(execution)
    return f"killed {rounds} times, {loads} run{'s' * (loads > 1)} done"
