"""What tests of the shell around the brain share: a bus of their own on the real Redis."""

import secrets

import pytest
from django.conf import settings

from executions.dispatch.bus import Bus
from tests.dispatch.small_site import a_dispatcher, a_worker


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
    with a_dispatcher(bus) as found:
        yield found


@pytest.fixture
def worker(bus):
    with a_worker(bus) as found:
        yield found
