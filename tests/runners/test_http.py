"""Requests: where they may go, what goes with them, what comes back."""

import ipaddress
import json

import pytest

from executions.runners import connection
from executions.runners.base import End
from executions.runners.connection import Allowed, is_public
from executions.runners.http import BODY_LIMIT_BYTES, Answer
from executions.runners.redaction import Redaction
from executions.runners.results import kept
from tests.runners.services import Asker, serving


@pytest.fixture(scope="module")
def service():
    with serving() as server:
        yield server


@pytest.fixture
def asker(service):
    service.calls = 0
    return Asker(service.server_port)


def test_json_goes_there_and_back(asker):
    outcome = asker.ask("json", method="post", body={"a": 1})
    assert outcome.end is End.COMPLETED
    assert outcome.result["body"]["method"] == "POST"
    assert json.loads(outcome.result["body"]["body"]) == {"a": 1}
    assert outcome.result["body"]["host"] == f"public.example:{asker.port}"


def test_each_header_is_sent_once(asker):
    said = asker.ask("json", body="x", headers={"X-A": "b", "Content-Type": "text/x"}).result[
        "body"
    ]
    assert said["headers"] == {
        "host": f"public.example:{asker.port}",
        "connection": "close",
        "x-a": "b",
        "content-type": "text/x",
        "content-length": "1",
    }


def test_names_and_paths_of_any_alphabet_go_through(asker):
    asker.names["xn--bcher-kva.example"] = ["127.0.0.1"]
    outcome = asker.ask("json?q=käse&r=%2F", host="bücher.example")
    assert outcome.result["body"]["host"] == f"xn--bcher-kva.example:{asker.port}"
    assert outcome.result["body"]["path"] == "/json?q=k%C3%A4se&r=%2F"


def test_an_unexpected_status_is_a_failure_and_says_what_came(asker):
    outcome = asker.ask("broken")
    assert (outcome.end, outcome.error) == (End.FAILED, "status 500: out of order")
    assert asker.ask("broken", expect_status=[500]).end is End.COMPLETED


def test_a_busy_service_is_asked_again_when_it_says(asker, service):
    assert asker.ask("busy").result["body"] == "at last"
    assert service.calls == 3


def test_a_moment_to_ask_again_is_waited_for(asker, service):
    assert asker.ask("busy_until").result["body"] == "at last"
    assert service.calls == 2


def test_a_wait_beyond_the_time_limit_is_not_begun(asker):
    outcome = asker.ask("closed_for_today", timeout_s=60)
    assert outcome.error == "status 503: "


def test_a_busy_answer_that_is_expected_is_the_answer(asker):
    assert asker.ask("closed_for_today", expect_status=503, timeout_s=60).end is End.COMPLETED


@pytest.mark.parametrize(
    ("after", "pause_s"),
    [
        ("nan", 1.0),
        ("-inf", 1.0),
        ("soon", 1.0),
        ("-5", 0.1),
        ("7", 7.0),
        ("Wed, 21 Oct 2015 07:28:30 GMT", 30.0),
        ("Wed, 21 Oct 2015 07:27:00 GMT", 0.1),
        ("Wed, 99 Oct 2015 07:27:00 GMT", 1.0),
    ],
)
def test_when_to_ask_again_is_read_by_the_services_clock(after, pause_s):
    headers = {"retry-after": after, "date": "Wed, 21 Oct 2015 07:28:00 GMT"}
    assert Answer(503, headers, b"", is_cut=False).pause_s() == pause_s


def test_private_addresses_are_refused(asker):
    asker.allowed = ()
    outcome = asker.ask("json")
    assert (outcome.end, outcome.retryable) == (End.FAILED, False)
    assert "127.0.0.1" in outcome.error


@pytest.mark.parametrize(
    ("allowed", "reached"),
    [
        (("127.0.0.0/8",), True),
        (("10.0.0.0/8", "Public.example"), True),
        (("true",), True),
        (("10.0.0.0/8", "other.example"), False),
        (("false",), False),
    ],
)
def test_private_addresses_are_reached_where_the_list_names_them(asker, allowed, reached):
    asker.allowed = allowed
    assert (asker.ask("json").end is End.COMPLETED) == reached


def test_a_list_that_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match=r"10\.0\.0\.0/99"):
        Allowed.listed(["10.0.0.0/99"])


def test_one_private_address_among_public_ones_is_enough_to_refuse(asker):
    asker.allowed = ()
    asker.names["public.example"] = ["93.184.216.34", "10.0.0.1"]
    assert "10.0.0.1" in asker.ask("json").error


def test_a_redirect_to_a_private_address_is_refused(asker):
    asker.allowed = ("public.example",)
    assert "private.example is at 10.0.0.7" in asker.ask("away").error


def test_a_name_that_changes_its_address_is_refused_at_the_second_look(asker, monkeypatch):
    asker.allowed = ()
    answers = iter([["127.0.0.1"], ["10.0.0.9"]])
    asker.resolve = lambda _name, _port: next(answers)
    monkeypatch.setattr(connection, "is_public", lambda a: str(a) == "127.0.0.1")
    assert "10.0.0.9" in asker.ask("moved").error


@pytest.mark.parametrize("where", ["file:///etc/passwd", "//user:word@x/", "//x:0/"])
def test_a_redirect_to_what_is_no_web_address_is_refused(asker, where):
    outcome = asker.ask(f"to?{where}")
    assert (outcome.end, outcome.retryable) == (End.FAILED, False)
    assert "URL" in outcome.error or "header Authorization" in outcome.error


def test_redirects_end(asker):
    assert asker.ask("round").error == "more than 5 redirects"


def test_a_redirect_keeps_method_body_and_headers_on_its_origin(asker):
    outcome = asker.ask("moved", method="POST", body="x", headers={"Authorization": "secret"})
    assert outcome.result["body"]["method"] == "POST"
    assert outcome.result["body"]["headers"]["authorization"] == "secret"


SECRETS = {"Authorization": "a", "Cookie": "b", "X-Api-Key": "c", "Accept": "text/x"}


@pytest.mark.parametrize("same_host", [True, False])
def test_what_was_meant_for_one_origin_goes_to_no_other(asker, same_host):
    asker.names["other.example"] = ["127.0.0.1"]
    with serving() as other:
        where = (
            f"public.example:{other.server_port}" if same_host else f"other.example:{asker.port}"
        )
        outcome = asker.ask(f"to?http://{where}/json", headers=SECRETS)
    assert outcome.end is End.COMPLETED
    seen = outcome.result["body"]["headers"]
    assert seen == {"host": where, "connection": "close", "accept": "text/x"}


def test_a_body_is_not_taken_to_another_origin(asker):
    with serving() as other:
        where = f"http://public.example:{other.server_port}/json"
        outcome = asker.ask(f"to?{where}", method="POST", body="for this one only")
        assert (outcome.end, outcome.retryable) == (End.FAILED, False)
        assert f"take the body to public.example:{other.server_port}" in outcome.error
        assert asker.ask(f"to?{where}", method="POST").end is End.COMPLETED


@pytest.mark.parametrize("before", [195, BODY_LIMIT_BYTES - 5])
def test_what_is_cut_of_a_body_is_cut_after_secrets_are_masked(asker, before):
    asker.redaction = Redaction(["a-secret-of-some-length"])
    outcome = asker.ask("mirror", body="x" * before + "a-secret-of-some-length" + "y" * 100)
    assert outcome.end is End.FAILED
    assert "a-s" not in outcome.error
    if before > 200:
        assert "a-s" not in outcome.result["body"]
        assert outcome.result["is_cut"] is True


def test_an_endless_body_is_cut_and_marked(asker):
    outcome = asker.ask("endless")
    assert outcome.end is End.COMPLETED
    assert len(outcome.result["body"]) == BODY_LIMIT_BYTES
    assert outcome.result["is_cut"] is True


def test_a_hostile_body_is_kept_without_what_no_database_takes(asker):
    assert kept(asker.ask("hostile")).result["body"] == {"\ufffd": "\ufffd"}


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "0.0.0.0", "224.0.0.1", "::1", "::", "fe80::1", "fc00::1", "::ffff:10.0.0.1",
        "2002:0a00:0001::", "255.255.255.255", "ff02::1", "64:ff9b::7f00:1", "::7f00:1", "fec0::1",
        "::ffff:0:a00:1", "64:ff9b:1::a00:1", "2001:0:a00:1::", "100::1", "5f00::1", "4000::1",
    ],
)  # fmt: skip
def test_addresses_that_are_not_public(address):
    assert not is_public(ipaddress.ip_address(address))


def test_addresses_that_are_public():
    assert is_public(ipaddress.ip_address("93.184.216.34"))
    assert is_public(ipaddress.ip_address("2606:2800:220:1:248:1893:25c8:1946"))
