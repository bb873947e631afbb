"""Every wait of a request ends at its time limit and at a stop, and leaves no socket open."""

import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from executions.runners import connection
from executions.runners.base import End
from tests.runners.services import Asker, full, serving, silent

LARGE = "x" * 20_000_000


def sockets():
    found = []
    for link in Path("/proc/self/fd").iterdir():
        try:
            found.append(link.readlink().name.startswith("socket:"))
        except OSError:
            continue
    return sum(found)


@contextmanager
def slow_resolver():
    release = threading.Event()
    asker = Asker(1)
    asker.resolve = lambda *_: release.wait(30) and []
    yield asker, {}
    release.set()


@contextmanager
def slow_connect():
    with full() as port:
        yield Asker(port), {}


@contextmanager
def slow_handshake():
    with silent() as port:
        yield Asker(port), {"scheme": "https"}


@contextmanager
def slow_upload():
    with silent() as port:
        yield Asker(port), {"method": "POST", "body": LARGE}


@contextmanager
def slow_answer():
    with silent() as port:
        yield Asker(port), {}


@contextmanager
def slow_body():
    with serving() as server:
        yield Asker(server.server_port), {}


WAITS = [slow_resolver, slow_connect, slow_handshake, slow_upload, slow_answer, slow_body]


@pytest.mark.parametrize("wait", WAITS)
def test_a_wait_ends_at_the_time_limit(wait):
    with wait() as (asker, options):
        before, begun = sockets(), time.monotonic()
        outcome = asker.ask("slow", timeout_s=0.3, **options)
        assert (outcome.end, outcome.error) == (End.TIMED_OUT, "Timeout exceeded")
        assert time.monotonic() - begun < 1
        assert sockets() <= before + (wait is slow_body)  # the server's own end


@pytest.mark.parametrize("wait", WAITS)
def test_a_wait_ends_when_it_is_stopped(wait):
    with wait() as (asker, options):
        before, begun = sockets(), time.monotonic()
        stopper = threading.Timer(0.2, asker.stop.set)
        stopper.start()
        assert asker.ask("slow", timeout_s=60, **options).end is End.CANCELLED
        stopper.join()
        assert time.monotonic() - begun < 1
        assert sockets() <= before + (wait is slow_body)


def test_an_address_that_does_not_answer_makes_room_for_the_next(monkeypatch):
    monkeypatch.setattr(connection, "CONNECT_S", 0.1)
    with full() as port:
        outcome = Asker(port).ask("json")
    assert outcome.end is End.FAILED
    assert "no answer from 127.0.0.1" in outcome.error


def test_a_refused_connection_is_told(monkeypatch):
    with silent() as port:
        pass
    assert "Connection refused (127.0.0.1)" in Asker(port).ask("json").error


def test_a_resolver_that_fails_is_told():
    asker = Asker(1)

    def fail(*_):
        raise OSError(-2, "Name or service not known")

    asker.resolve = fail
    assert "Name or service not known" in asker.ask("json").error
