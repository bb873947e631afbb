"""A worker's reports: ends are repeated until confirmed, short tasks are told once."""

import pytest

from executions.dispatch import reports
from executions.dispatch.reports import Reporter


@pytest.fixture
def reporter(bus):
    reporter = Reporter(bus, "w1")
    reporter.start()
    yield reporter
    reporter.close()


def end(token):
    return {"kind": "completed", "token": token, "started_at": 1.0, "run_s": 0.1}


def kinds(messages):
    return [(r["kind"], r["token"]) for m in messages for r in m["reports"]]


def test_a_task_over_at_once_is_told_by_its_end_alone(bus, reporter):
    reporter.say({"kind": "started", "token": "t", "started_at": 1.0})
    reporter.say_end(end("t"))
    assert kinds(bus.events_take(2.0)) == [("completed", "t")]


def test_a_start_is_told_soon_where_no_end_follows(bus, reporter):
    reporter.say({"kind": "started", "token": "t", "started_at": 1.0})
    assert kinds(bus.events_take(2.0)) == [("started", "t")]


def test_an_end_is_told_again_until_it_is_confirmed(bus, reporter, monkeypatch):
    monkeypatch.setattr(reports, "REPEAT_AFTER_S", 0.05)
    reporter.say_end(end("t"))
    for _ in range(3):
        assert kinds(bus.events_take(2.0))[0] == ("completed", "t")
    assert reporter.unconfirmed() == ["t"]
    reporter.confirm(["t", "unknown"])
    assert reporter.flush(1.0)


def test_flush_says_when_an_end_stays_unconfirmed(reporter):
    reporter.say_end(end("t"))
    assert not reporter.flush(0.05)
