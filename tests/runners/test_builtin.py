"""noop, sleep, external, and runners that are not there."""

import pytest

from executions.runners.base import End
from executions.runners.builtin import Noop
from executions.runners.registry import check_payload


def test_noop_completes(bench):
    assert bench.run("noop", {}).end is End.COMPLETED


def test_sleep_fails_as_told_and_then_succeeds(bench):
    payload = {"seconds": 0, "fail_with": "flaky", "fail_times": 2}
    ends = [bench.run("sleep", payload, attempt=n) for n in (1, 2, 3)]
    assert [(o.end, o.error) for o in ends] == [
        (End.FAILED, "flaky"),
        (End.FAILED, "flaky"),
        (End.COMPLETED, ""),
    ]


def test_sleep_ends_at_its_time_limit(bench):
    outcome = bench.run("sleep", {"seconds": 30}, timeout_s=0.05)
    assert (outcome.end, outcome.error) == (End.TIMED_OUT, "Timeout exceeded")


def test_sleep_can_be_stopped(bench):
    bench.stop.set()
    assert bench.run("sleep", {"seconds": 30}).end is End.CANCELLED


def test_a_runner_that_is_not_enabled_fails_without_retry(bench):
    outcome = bench.run("teleport", {})
    assert outcome.end is End.FAILED
    assert not outcome.retryable


def test_a_fault_of_a_runner_is_a_failed_attempt(bench, monkeypatch):
    monkeypatch.setattr(Noop, "run", lambda *_: int("soon"))
    outcome = bench.run("noop", {})
    assert outcome.end is End.FAILED
    assert "ValueError" in outcome.error


@pytest.mark.parametrize(
    ("name", "payload", "places"),
    [
        ("teleport", {}, [""]),
        ("shell", {"command": "ls"}, [""]),
        ("noop", {"x": 1}, ["x"]),
        ("sleep", {"seconds": -1, "fail_times": True}, ["seconds", "fail_times"]),
        ("sleep", {"seconds": float("nan")}, ["seconds"]),
        ("external", {"instructions": " "}, ["instructions"]),
        ("external", {"instructions": "do", "link": 1}, []),
    ],
)
def test_payloads_are_checked_with_places(name, payload, places):
    found = check_payload(name, payload, enabled=["noop", "sleep", "external"])
    assert [place for place, _ in found] == places
