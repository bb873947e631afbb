"""The web server refuses a body larger than anything that is taken, and keeps none of it."""

import json
import select
import socket
from contextlib import contextmanager
from http.client import HTTPResponse
from pathlib import Path

import pytest

from executions.specs import LARGE_SPEC_BYTES

pytestmark = pytest.mark.processes
WAIT_S = 30
PIECE = b"x" * (1 << 20)
MIB = len(PIECE)


@contextmanager
def asked(server, *headers):
    """A connection on which the head of a request has been sent."""
    with socket.create_connection(("127.0.0.1", server[0]), timeout=WAIT_S) as made:
        head = "\r\n".join(["POST /api/v1/task-groups/ HTTP/1.1", "Host: localhost", *headers])
        made.sendall(f"{head}\r\n\r\n".encode())
        yield made


def answer(made):
    found = HTTPResponse(made)
    found.begin()
    return found.status, found.read()


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
        for _ in range(size // MIB):
            made.sendall(PIECE)
        assert is_refusal(answer(made))


@pytest.mark.parametrize("headers", [f"Content-Length: {2 * MIB}", "Transfer-Encoding: chunked"])
def test_what_is_of_a_size_goes_to_the_application_whole(server, headers):
    with asked(server, headers) as made:
        for _ in range(2):
            made.sendall(piece(PIECE) if "chunked" in headers else PIECE)
        if "chunked" in headers:
            made.sendall(b"0\r\n\r\n")
        assert answer(made) == (200, str(2 * MIB).encode())
