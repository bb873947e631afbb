"""What a dispatcher leaves to the next one: the lead at once, and times that fit."""

import threading
import time

import pytest

from executions.dispatch.chores import Chores
from executions.dispatch.dispatcher import Clock, Dispatcher
from executions.models import Leadership
from tests.dispatch.small_site import WITHIN_S, wait_until

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
