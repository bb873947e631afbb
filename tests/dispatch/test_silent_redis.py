"""A Redis that takes connections and never answers: who speaks to it gives up soon, and once."""

import signal
import subprocess
import time

import pytest

from executions.dispatch import bus as bus_module
from executions.dispatch.bus import Bus, BusDownError
from executions.management.embedded_redis import redis_command

WAIT_S = 0.3


@pytest.fixture
def silent_bus(tmp_path, monkeypatch):
    monkeypatch.setattr(bus_module, "SOCKET_TIMEOUT_S", WAIT_S)
    monkeypatch.setattr(bus_module, "HINT_TIMEOUT_S", WAIT_S / 3)
    socket = tmp_path / "redis.sock"
    with subprocess.Popen(
        [*redis_command(str(socket), tmp_path), "--appendonly", "no"], stdout=subprocess.DEVNULL
    ) as server:
        try:
            found = Bus(f"unix://{socket}", "test")
            while not answers(found):
                assert server.poll() is None
            found.wake()
            server.send_signal(signal.SIGSTOP)
            yield found
        finally:
            server.kill()


def answers(bus):
    try:
        bus.ping()
    except BusDownError:
        return False
    return True


def test_what_must_be_said_is_tried_once(silent_bus):
    begun = time.monotonic()
    with pytest.raises(BusDownError):
        silent_bus.report({"type": "reports"})
    assert WAIT_S <= time.monotonic() - begun < 2 * WAIT_S


def test_a_hint_holds_nobody_up(silent_bus):
    begun = time.monotonic()
    silent_bus.wake()
    assert time.monotonic() - begun < WAIT_S
