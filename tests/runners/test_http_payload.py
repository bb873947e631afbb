"""What an http payload may hold."""

import pytest

from executions.runners.http_payload import check_payload


def test_a_good_payload_has_no_fault():
    headers = {"X-Key": "${secret:KEY}", "Accept": "text/plain; q=0.5"}
    payload = {"url": "https://x:8443/a?b#c", "headers": headers, "expect_status": [200, 404]}
    assert check_payload(payload) == []


@pytest.mark.parametrize(
    ("payload", "place"),
    [
        ({}, "url"),
        ({"url": "ftp://x/"}, "url"),
        ({"url": "http://"}, "url"),
        ({"url": "http://x:99999/"}, "url"),
        ({"url": "http://x:0/"}, "url"),
        ({"url": "http://x/a b"}, "url"),
        ({"url": "http://x\n/"}, "url"),
        ({"url": "http://x..y/"}, "url"),
        ({"url": "http://user:word@x/"}, "url"),
        ({"url": "http://x/", "method": "BREW"}, "method"),
        ({"url": "http://x/", "headers": []}, "headers"),
        ({"url": "http://x/", "expect_status": "ok"}, "expect_status"),
        ({"url": "http://x/", "expect_status": [True]}, "expect_status"),
        ({"url": "http://x/", "verify": False}, "verify"),
    ],
)
def test_bad_payloads_are_told(payload, place):
    assert [p for p, _ in check_payload(payload)] == [place]


@pytest.mark.parametrize(
    "name", ["Host", "content-length", "Transfer-Encoding", "CONNECTION", "te"]
)
def test_headers_that_carry_the_message_are_the_runners_own(name):
    faults = check_payload({"url": "http://x/", "headers": {name: "x"}})
    assert faults == [(f"headers.{name}", "set by the runner itself")]


@pytest.mark.parametrize("name", ["", "a b", "a:", "a\r\nb", "ä", "a\0"])
def test_names_that_are_no_tokens_are_refused(name):
    faults = check_payload({"url": "http://x/", "headers": {name: "x"}})
    assert faults == [(f"headers.{name}", "no name of a header")]


@pytest.mark.parametrize("value", ["b\r\nC: d", "b\nc", "b\0c", 7, None, "\u20ac"])
def test_values_that_fit_no_header_are_refused(value):
    faults = check_payload({"url": "http://x/", "headers": {"A": value}})
    assert [place for place, _ in faults] == ["headers.A"]
