"""The web server refuses bodies beyond what their address takes, and beyond its room for all."""

import json
import select
import socket
import time
from contextlib import contextmanager, suppress
from http.client import HTTPResponse
from pathlib import Path

import pytest

from executions.api.bodies import SMALL_BODY_BYTES
from executions.specs import LARGE_SPEC_BYTES
from tests.live.conftest import served

pytestmark = pytest.mark.processes
WAIT_S = 30
PIECE = b"x" * (1 << 20)
MIB = len(PIECE)


SPECS = "/api/v1/task-groups/"
LARGE = LARGE_SPEC_BYTES // MIB


@contextmanager
def asked(server, *headers, path=SPECS):
    """A connection on which the head of a request has been sent."""
    with socket.create_connection(("127.0.0.1", server[0]), timeout=WAIT_S) as made:
        head = "\r\n".join([f"POST {path} HTTP/1.1", "Host: localhost", *headers])
        made.sendall(f"{head}\r\n\r\n".encode())
        yield made


def answered(made):
    found = HTTPResponse(made)
    found.begin()
    return found, found.read()


def answer(made):
    found, body = answered(made)
    return found.status, body


def of(pieces):
    return f"Content-Length: {pieces * MIB}"


def send(made, pieces):
    for _ in range(pieces):
        made.sendall(PIECE)


def is_refusal(found):
    status, body = found
    return status == 413 and json.loads(body)["status"] == 413


def peak_bytes(server):
    status = Path(f"/proc/{server[1]}/status").read_text()
    return 1024 * next(int(x.split()[1]) for x in status.splitlines() if x.startswith("VmHWM"))


def piece(data):
    return b"%x\r\n%b\r\n" % (len(data), data)


@pytest.mark.parametrize("headers", [[], ["Expect: 100-continue"]])
def test_a_length_that_is_too_large_is_refused_before_any_of_it_came(server, headers):
    with asked(server, f"Content-Length: {LARGE_SPEC_BYTES + 2 * MIB}", *headers) as made:
        assert is_refusal(answer(made))


def test_what_grows_too_large_is_refused_while_it_grows_and_not_kept(server, errors):
    before, sent = peak_bytes(server), 0
    with asked(server, "Transfer-Encoding: chunked") as made:
        while not select.select([made], [], [], 0)[0]:
            made.sendall(piece(PIECE))
            sent += MIB
        assert is_refusal(answer(made))
    assert LARGE_SPEC_BYTES < sent < LARGE_SPEC_BYTES + 64 * MIB  # buffers lie between
    assert peak_bytes(server) - before < LARGE_SPEC_BYTES / 2
    assert b"Unhandled" not in errors.read_bytes()


def sent_without_end(made):
    while True:
        made.sendall(PIECE)


def test_who_sends_on_nevertheless_is_cut_off(server):
    with asked(server, f"Content-Length: {1 << 50}") as made, pytest.raises(ConnectionError):
        sent_without_end(made)


def test_who_sends_all_before_reading_is_told_too(server):
    size = LARGE_SPEC_BYTES + 2 * MIB
    with asked(server, f"Content-Length: {size}") as made:
        send(made, size // MIB)
        assert is_refusal(answer(made))


@pytest.mark.parametrize("headers", [f"Content-Length: {2 * MIB}", "Transfer-Encoding: chunked"])
def test_what_is_of_a_size_goes_to_the_application_whole(server, headers):
    with asked(server, headers) as made:
        for _ in range(2):
            made.sendall(piece(PIECE) if "chunked" in headers else PIECE)
        if "chunked" in headers:
            made.sendall(b"0\r\n\r\n")
        assert answer(made) == (200, str(2 * MIB).encode())


def test_only_specs_over_rest_may_be_large(server):
    most = SMALL_BODY_BYTES // MIB + 1
    with asked(server, of(most), path="/login/") as made:
        send(made, most)
        assert answer(made) == (200, str(most * MIB).encode())
    with asked(server, of(most + 1), path="/login/") as made:
        found, body = answered(made)
        assert (found.status, found.headers["Content-Type"][:10]) == (413, "text/plain")
        assert b"at most 5 MiB" in body
    with asked(server, "Transfer-Encoding: chunked", path="/api/v1/tokens/") as made:
        for _ in range(most + 1):
            made.sendall(piece(PIECE))
        assert is_refusal(answer(made))


def test_a_form_is_read_by_nobody_but_the_application(server):
    before, pieces = peak_bytes(server), SMALL_BODY_BYTES // MIB
    kind = "Content-Type: application/x-www-form-urlencoded"
    with asked(server, of(pieces), kind, path="/login/") as made:
        made.sendall(b"a=&x" * (pieces * MIB // 4))
        assert answer(made)[0] == 200
    assert peak_bytes(server) - before < 3 * pieces * MIB


def said(server, path):
    with asked(server, path=path) as made:
        return answer(made)[1]


def has_no_room(made):
    found, body = answered(made)
    assert json.loads(body)["status"] == 503
    return found.status == 503 and int(found.headers["Retry-After"]) > 0


def test_large_bodies_at_once_have_room_for_two_until_they_are_answered(tmp_path):
    kept = f"{SPECS}?keep"
    with (
        served(tmp_path / "errors") as server,
        asked(server, of(LARGE), path=kept) as first,
        asked(server, of(LARGE), path=kept) as second,
    ):
        before = peak_bytes(server)
        send(first, LARGE)
        send(second, LARGE)
        while said(server, "/?kept") != b"2":
            pass
        with asked(server, of(LARGE)) as third:
            assert has_no_room(third)
        with asked(server, "Transfer-Encoding: chunked") as third:
            while not select.select([third], [], [], 0)[0]:
                third.sendall(piece(PIECE))
            assert has_no_room(third)
        with asked(server, "Content-Length: 60000", path="/login/") as small:
            small.sendall(PIECE[:60000])
            assert answer(small)[0] == 200
        said(server, "/?let-go")
        assert answer(first) == answer(second) == (200, str(LARGE_SPEC_BYTES).encode())
        assert peak_bytes(server) - before < 3 * LARGE_SPEC_BYTES
        with asked(server, of(LARGE)) as third:
            send(third, LARGE)
            assert answer(third)[0] == 200


def whole(server):
    with asked(server, of(LARGE)) as made, suppress(ConnectionError):
        send(made, LARGE)
        return answer(made)[0]


def test_who_goes_away_leaves_their_room(server):
    for _ in range(5):
        with asked(server, of(LARGE)) as made, suppress(ConnectionError):
            send(made, LARGE - 1)
    until = time.monotonic() + WAIT_S
    while whole(server) != 200:  # the server hears of who went away when it comes to them
        assert time.monotonic() < until


def test_who_takes_room_and_sends_no_more_is_told_so_and_leaves(tmp_path):
    with (
        served(tmp_path / "errors", "tests.live.served_in_a_hurry:application") as server,
        asked(server, of(LARGE)) as made,
    ):
        send(made, 1)
        assert answer(made)[0] == 408
