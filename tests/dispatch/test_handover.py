"""What a dispatcher leaves to the next one: the lead at once, and times that fit."""

import threading
import time

import pytest

from executions.dispatch import dispatcher
from executions.dispatch.chores import Chores
from executions.dispatch.dispatcher import Clock, Dispatcher
from executions.models import Attempt, Leadership, Team
from tests.dispatch.small_site import WITHIN_S, a_dispatcher, finish, submit, wait_until

begun, may_end = threading.Event(), threading.Event()


def long_chore():
    begun.set()
    may_end.wait(WITHIN_S)


@pytest.mark.django_db(transaction=True)
def test_the_lead_is_free_at_once_though_a_chore_takes_long(bus):
    dispatcher = Dispatcher(bus)
    dispatcher._chores = Chores(lambda: True, [f"{__name__}.long_chore"], every_s=0.01)
    thread = threading.Thread(target=dispatcher.run)
    thread.start()
    try:
        wait_until(lambda: Leadership.objects.filter(expires_at__isnull=False).exists(), "it leads")
        assert begun.wait(WITHIN_S)
        dispatcher.stop()
        wait_until(lambda: Leadership.objects.get().expires_at is None, "the lead is free")
        assert dispatcher._chores._thread.is_alive(), "the chore goes on"
    finally:
        may_end.set()
        dispatcher.stop()
        thread.join(WITHIN_S)


@pytest.mark.django_db(transaction=True)
def test_what_bound_the_run_counts_whoever_leads(bus, worker, monkeypatch):
    monkeypatch.setattr(dispatcher, "SUM_EVERY_S", 0.0)
    Team.objects.update_or_create(name="solo", defaults={"max_parallel": 1})
    tasks = [
        {"task_id": f"T{n}", "team": "solo", "runner": "sleep", "payload": {"seconds": 0.5}}
        for n in range(3)
    ]
    execution = submit(bus, *tasks)
    with a_dispatcher(bus):
        wait_until(lambda: execution.task_runs.filter(state="completed").exists(), "one is done")
    with a_dispatcher(bus):
        finish(execution)
    starts = Attempt.objects.filter(execution=execution).order_by("dispatched_at")
    first, *_, last = starts.values_list("dispatched_at", flat=True)
    waited = sum(sum(run.waits.values()) for run in execution.task_runs.all())
    assert execution.alone["team:solo"] == pytest.approx((last - first).total_seconds(), abs=0.01)
    assert execution.waited["team:solo"] == pytest.approx(waited, abs=0.01)


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="the system does not tell")
def test_the_time_a_machine_slept_has_passed(monkeypatch):
    clock, plain = Clock(), time.clock_gettime
    before = clock.now()
    monkeypatch.setattr(time, "clock_gettime", lambda which: plain(which) + 3600)
    assert 3600 <= clock.now() - before < 3660


def test_a_wall_clock_that_is_set_moves_nothing(monkeypatch):
    clock, plain = Clock(), time.time
    before = clock.now()
    monkeypatch.setattr(time, "time", lambda: plain() - 3600)
    assert 0 <= clock.now() - before < 60
