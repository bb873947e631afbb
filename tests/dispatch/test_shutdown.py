"""How a worker leaves: whatever it holds is handed back, however often and rudely it is told to."""

import os
import signal
import threading
import time

import pytest

from executions.dispatch import lanes
from executions.dispatch.bootstep import LanesStep
from executions.models import Attempt
from tests.dispatch.small_site import LONG, submit, wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def step(worker, monkeypatch):
    found = LanesStep.__new__(LanesStep)
    found._worker = worker
    monkeypatch.setattr(lanes, "serving", worker)
    return found


@pytest.fixture
def told_again():
    """A handler as Celery's: told again, it raises in whatever the main thread does."""

    def raise_it(*_):
        raise NotImplementedError("no job can be killed")

    before = signal.signal(signal.SIGUSR1, raise_it)
    yield lambda: threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGUSR1)).start()
    signal.signal(signal.SIGUSR1, before)


def one_running(bus):
    execution = submit(bus, LONG, max_retries=0)
    attempts = Attempt.objects.filter(execution=execution, state="running")
    wait_until(attempts.exists, "it runs")
    return Attempt.objects.filter(execution=execution)


def test_told_twice_it_hands_back_at_once_instead_of_waiting(
    bus, dispatcher, worker, step, told_again
):
    attempts = one_running(bus)
    begun = time.monotonic()
    told_again()
    step.stop(None)
    assert time.monotonic() - begun < 8
    wait_until(lambda: attempts.get().released_at, "it is handed back")
    assert attempts.get().state == "returned"


def test_a_cold_shutdown_hands_back_too(bus, dispatcher, worker, step):
    attempts = one_running(bus)
    begun = time.monotonic()
    step.terminate(None)
    assert time.monotonic() - begun < 8
    wait_until(lambda: attempts.get().released_at, "it is handed back")
    assert attempts.get().state == "returned"
