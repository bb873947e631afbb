"""Requests: where they may go, how long they may take, what comes back."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from executions.runners.base import Context, End
from executions.runners.http import BODY_LIMIT_BYTES, Http, check_payload, is_public
from executions.runners.output import OutputBuffer


class Service(BaseHTTPRequestHandler):
    """Answers as the path says."""

    def do_GET(self):
        getattr(self, "answer_" + self.path.strip("/").split("?")[0])()

    do_POST = do_GET  # noqa: N815 (http.server's name)

    def reply(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def answer_json(self):
        length = int(self.headers.get("Content-Length", 0))
        said = {
            "method": self.command,
            "body": self.rfile.read(length).decode(),
            "host": self.headers["Host"],
            "auth": self.headers.get("Authorization"),
        }
        self.reply(200, json.dumps(said).encode(), Content_Type="application/json")

    def answer_broken(self):
        self.reply(500, b"out of order")

    def answer_busy(self):
        self.server.calls += 1
        if self.server.calls < 3:
            self.reply(429, Retry_After="0.1")
        else:
            self.reply(200, b"at last")

    def answer_away(self):
        self.reply(302, Location="http://private.example/json")

    def answer_round(self):
        self.reply(302, Location="/round")

    def answer_moved(self):
        self.reply(307, Location="/json")

    def answer_endless(self):
        self.send_response(200)
        self.end_headers()
        try:
            while True:
                self.wfile.write(b"x" * 65536)
        except OSError:
            return

    def answer_slow(self):
        self.send_response(200)
        self.send_header("Content-Length", "100")
        self.end_headers()
        for _ in range(100):
            try:
                self.wfile.write(b"x")
                self.wfile.flush()
            except OSError:
                return
            if self.server.over.wait(0.1):
                return

    def log_message(self, *_):
        return


@pytest.fixture(scope="module")
def service():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    server.calls, server.over = 0, threading.Event()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.over.set()
    server.shutdown()
    thread.join()
    server.server_close()


class Asker:
    """Asks the service by any name; names are resolved by the test."""

    def __init__(self, port):
        self.port = port
        self.stop = threading.Event()
        self.names = {"public.example": ["127.0.0.1"], "private.example": ["10.0.0.7"]}

    def ask(self, path, *, private=True, timeout_s=5.0, host="public.example", **payload):
        runner = Http(allow_private=private, resolve=lambda name, _port: self.names[name])
        context = Context("PEXEC-1", "T", 1, "token", timeout_s, OutputBuffer(), self.stop)
        return runner.run({"url": f"http://{host}:{self.port}/{path}", **payload}, context)


@pytest.fixture
def asker(service):
    return Asker(service.server_port)


def test_json_goes_there_and_back(asker):
    outcome = asker.ask("json", method="post", body={"a": 1})
    assert outcome.end is End.COMPLETED
    assert outcome.result["body"]["method"] == "POST"
    assert json.loads(outcome.result["body"]["body"]) == {"a": 1}
    assert outcome.result["body"]["host"] == f"public.example:{asker.port}"


def test_an_unexpected_status_is_a_failure_and_says_what_came(asker):
    outcome = asker.ask("broken")
    assert (outcome.end, outcome.error) == (End.FAILED, "status 500: out of order")
    assert asker.ask("broken", expect_status=[500]).end is End.COMPLETED


def test_a_busy_service_is_asked_again_when_it_says(asker, service):
    service.calls = 0
    outcome = asker.ask("busy")
    assert outcome.result["body"] == "at last"
    assert service.calls == 3


def test_private_addresses_are_refused(asker):
    outcome = asker.ask("json", private=False)
    assert outcome.end is End.FAILED
    assert not outcome.retryable
    assert "127.0.0.1" in outcome.error


def test_one_private_address_among_public_ones_is_enough_to_refuse(asker):
    asker.names["public.example"] = ["93.184.216.34", "10.0.0.1"]
    assert "10.0.0.1" in asker.ask("json", private=False).error


def test_a_redirect_is_checked_again(asker, monkeypatch):
    monkeypatch.setattr("executions.runners.http.is_public", lambda a: str(a) == "127.0.0.1")
    outcome = asker.ask("away", private=False)
    assert "private.example is at 10.0.0.7" in outcome.error


def test_a_name_that_changes_its_address_is_refused_at_the_second_look(asker, monkeypatch):
    answers = iter([["127.0.0.1"], ["10.0.0.9"]])
    monkeypatch.setattr("executions.runners.http.is_public", lambda a: str(a) == "127.0.0.1")
    runner = Http(allow_private=False, resolve=lambda _name, _port: next(answers))
    context = Context("PEXEC-1", "T", 1, "token", 5.0, OutputBuffer())
    outcome = runner.run({"url": f"http://rebinding.example:{asker.port}/moved"}, context)
    assert "10.0.0.9" in outcome.error


def test_redirects_end(asker):
    assert asker.ask("round").error == "more than 5 redirects"


def test_a_redirect_keeps_method_and_body_where_it_must(asker):
    outcome = asker.ask("moved", method="POST", body="x", headers={"Authorization": "secret"})
    assert outcome.result["body"]["method"] == "POST"
    assert outcome.result["body"]["auth"] == "secret"


def test_an_endless_body_is_cut(asker):
    outcome = asker.ask("endless")
    assert outcome.end is End.COMPLETED
    assert len(outcome.result["body"]) == BODY_LIMIT_BYTES


def test_a_slow_body_ends_at_the_time_limit(asker):
    begun = time.monotonic()
    outcome = asker.ask("slow", timeout_s=0.5)
    assert outcome.end is End.TIMED_OUT
    assert time.monotonic() - begun < 2


def test_a_stop_is_seen_soon(asker):
    threading.Timer(0.2, asker.stop.set).start()
    begun = time.monotonic()
    assert asker.ask("slow", timeout_s=60).end is End.CANCELLED
    assert time.monotonic() - begun < 2


def test_broken_tls_is_a_failure(asker):
    runner = Http(allow_private=True, resolve=lambda _name, _port: ["127.0.0.1"])
    context = Context("PEXEC-1", "T", 1, "token", 5.0, OutputBuffer())
    outcome = runner.run({"url": f"https://public.example:{asker.port}/json"}, context)
    assert outcome.end is End.FAILED
    assert "SSL" in outcome.error


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "0.0.0.0", "224.0.0.1", "::1", "::", "fe80::1", "fc00::1", "::ffff:10.0.0.1",
        "2002:0a00:0001::", "255.255.255.255", "ff02::1", "64:ff9b::7f00:1", "::7f00:1", "fec0::1",
    ],
)  # fmt: skip
def test_addresses_that_are_not_public(address):
    import ipaddress

    assert not is_public(ipaddress.ip_address(address))


def test_addresses_that_are_public():
    import ipaddress

    assert is_public(ipaddress.ip_address("93.184.216.34"))
    assert is_public(ipaddress.ip_address("2606:2800:220:1:248:1893:25c8:1946"))


@pytest.mark.parametrize(
    ("payload", "place"),
    [
        ({}, "url"),
        ({"url": "ftp://x/"}, "url"),
        ({"url": "http://"}, "url"),
        ({"url": "http://x:99999/"}, "url"),
        ({"url": "http://x/", "method": "BREW"}, "method"),
        ({"url": "http://x/", "headers": {"A": "b\r\nC: d"}}, "headers.A"),
        ({"url": "http://x/", "expect_status": "ok"}, "expect_status"),
        ({"url": "http://x/", "verify": False}, "verify"),
    ],
)
def test_bad_payloads_are_told(payload, place):
    assert [p for p, _ in check_payload(payload)] == [place]
