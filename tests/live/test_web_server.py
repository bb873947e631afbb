"""The web server keeps what ASGI asks of a WebSocket: codes, closing, and waiting for readers."""

import json
import random

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.sync.client import connect

from tests.live.conftest import READY_S

pytestmark = pytest.mark.processes
MANY = [random.Random(n).randbytes(40_000 * n).hex() for n in (1, 2)] * 2
FLOOD = {"flood": 100, "chars": 1_000_000}


@pytest.fixture
def live(url):
    with connect(url, max_size=None) as made:
        yield made


def tell(made, **order):
    made.send(json.dumps(order))


@pytest.mark.parametrize("code", [1000, 1003, 1009, 1013, 4404])
def test_a_socket_closes_with_the_code_it_was_given(live, code):
    tell(live, close=code)
    with pytest.raises(ConnectionClosed) as closed:
        live.recv(timeout=READY_S)
    assert closed.value.rcvd.code == code


def test_what_is_said_after_the_close_goes_nowhere_and_is_no_error(live, url, errors):
    tell(live, close=1013, say_late="nobody hears this")
    with pytest.raises(ConnectionClosed) as closed:
        live.recv(timeout=READY_S)
    assert closed.value.rcvd.code == 1013
    with connect(url) as other:
        tell(other, count=True)
        assert int(other.recv(timeout=READY_S)) > 0
    assert b"Exception inside application" not in errors.read_bytes()


@pytest.mark.parametrize("compression", [None, "deflate"])
@pytest.mark.parametrize("window_bits", [9, 15])
def test_texts_arrive_as_they_were_said(url, compression, window_bits):
    offer = [ClientPerMessageDeflateFactory(server_max_window_bits=window_bits)]
    with connect(
        url, max_size=None, compression=None, extensions=offer if compression else None
    ) as live:
        assert bool(live.protocol.extensions) == bool(compression)
        texts_arrive(live)


def texts_arrive(live):
    for text in ("", "short", "ü€😀" * 50, "y" * 70_000, *MANY):
        tell(live, say=text)
        tell(live, say="then")
        got = [live.recv(timeout=READY_S)]
        if text:  # Daphne sends nothing where there is nothing to say
            got.append(live.recv(timeout=READY_S))
        assert got == ([text, "then"] if text else ["then"])


def test_sending_waits_for_who_does_not_read_and_for_nobody_else(url):
    with connect(url, max_size=None, max_queue=1) as deaf, connect(url) as other:
        tell(other, count=True)
        before = int(other.recv(timeout=READY_S))
        tell(deaf, **FLOOD)
        first = deaf.recv(timeout=READY_S)  # it has begun
        tell(other, count=True)
        taken = int(other.recv(timeout=READY_S)) - before
        assert taken < FLOOD["flood"] / 2
        rest = [deaf.recv(timeout=READY_S) for _ in range(FLOOD["flood"] - 1)]
        assert [int(text.split()[0]) for text in (first, *rest)] == list(range(FLOOD["flood"]))


def test_who_goes_away_while_it_is_waited_for_is_let_go(url, errors):
    with connect(url, max_size=None, max_queue=1) as deaf, connect(url) as other:
        tell(deaf, **FLOOD)
        deaf.recv(timeout=READY_S)
        deaf.socket.close()
        tell(other, say="still there")
        assert other.recv(timeout=READY_S) == "still there"
    assert b"Exception inside application" not in errors.read_bytes()
