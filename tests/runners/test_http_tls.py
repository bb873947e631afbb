"""TLS: whom the runner trusts, and that nothing meant for https goes out in the clear."""

import ssl
import threading

import pytest

from executions.runners.base import End
from executions.runners.connection import Allowed, Deadline, Network
from tests.runners.services import Asker, certificate, serving, silent
from tests.runners.test_http_waits import sockets


@pytest.fixture(scope="module")
def secured(tmp_path_factory):
    context, trusted = certificate(tmp_path_factory.mktemp("tls"), "public.example")
    with serving(context) as server:
        server.trusted = trusted
        yield server


@pytest.fixture
def asker(secured):
    return Asker(secured.server_port, trusted=secured.trusted)


def test_a_trusted_certificate_is_taken_and_the_name_is_told(asker, secured):
    outcome = asker.ask("json", scheme="https", method="POST", body="x" * 30_000)
    assert outcome.result["body"]["body"] == "x" * 30_000
    assert secured.asked_for[-1] == "public.example"


@pytest.mark.parametrize(
    ("host", "is_trusted", "error"),
    [
        ("public.example", False, "self-signed certificate"),
        ("other.example", True, "Hostname mismatch"),
    ],
)
def test_a_certificate_that_does_not_fit_is_a_failure(secured, host, is_trusted, error):
    asker = Asker(secured.server_port, trusted=secured.trusted if is_trusted else None)
    asker.names["other.example"] = ["127.0.0.1"]
    before = sockets()
    outcome = asker.ask("json", scheme="https", host=host)
    assert outcome.end is End.FAILED
    assert error in outcome.error
    assert sockets() <= before + 1  # the server's own end


def test_an_expired_certificate_is_a_failure(tmp_path):
    context, trusted = certificate(tmp_path, "public.example", days=-1)
    with serving(context) as server:
        outcome = Asker(server.server_port, trusted=trusted).ask("json", scheme="https")
    assert "certificate has expired" in outcome.error


def test_a_service_without_tls_is_a_failure():
    with serving() as server:
        outcome = Asker(server.server_port).ask("json", scheme="https")
    assert outcome.end is End.FAILED
    assert "SSL" in outcome.error


def test_a_stream_that_cannot_be_secured_is_closed():
    tls = ssl.create_default_context()
    network = Network(Allowed.listed(["*"]), lambda *_: ["127.0.0.1"], tls)
    with silent() as port:
        before = sockets()
        with pytest.raises(ValueError, match="idna"):
            network.stream(".example", port, Deadline(5, threading.Event()), tls=True)
        assert sockets() == before


def test_a_redirect_out_of_tls_takes_no_secret_along(asker):
    with serving() as plain:
        where = f"http://public.example:{plain.server_port}/json"
        secrets = {"Authorization": "a", "Cookie": "b"}
        outcome = asker.ask(f"to?{where}", scheme="https", headers=secrets)
    assert outcome.end is End.COMPLETED
    assert set(outcome.result["body"]["headers"]) == {"host", "connection"}


def test_a_redirect_within_tls_keeps_them(asker):
    outcome = asker.ask("moved", scheme="https", headers={"Authorization": "a"})
    assert outcome.result["body"]["headers"]["authorization"] == "a"
