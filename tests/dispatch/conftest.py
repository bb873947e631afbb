"""What tests of the shell around the brain share: a bus of their own on the real Redis."""

import secrets
import threading

import pytest
from django.conf import settings

from executions.dispatch.bus import Bus
from executions.dispatch.dispatcher import Dispatcher
from tests.dispatch.small_site import WITHIN_S, a_worker


@pytest.fixture
def bus(redis_server) -> Bus:
    return Bus(settings.REDIS_URL, f"test-{secrets.token_hex(4)}")


class HandClock:
    """A monotonic clock that a test moves by hand."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def dispatcher(bus):
    found = Dispatcher(bus)
    thread = threading.Thread(target=found.run)
    thread.start()
    yield found
    found.stop()
    thread.join(WITHIN_S)
    assert not thread.is_alive()


@pytest.fixture
def worker(bus):
    with a_worker(bus) as found:
        yield found
