"""A worker's reports: ends are repeated until confirmed, short tasks are told once."""

from decimal import Decimal

import pytest

from executions.dispatch import reports
from executions.dispatch.reports import Reporter
from executions.runners.base import End, Outcome
from tests.dispatch.small_site import finish, states, submit


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


def test_a_start_waits_for_its_own_end_whatever_else_ends(bus, reporter, monkeypatch):
    monkeypatch.setattr(reports, "GATHER_S", 60.0)
    reporter.say({"kind": "started", "token": "t", "started_at": 1.0})
    reporter.say_end(end("other"))
    assert kinds(bus.events_take(2.0)) == [("completed", "other")]
    reporter.say_end(end("t"))
    assert kinds(bus.events_take(2.0)) == [("completed", "t")]


def test_the_last_progress_is_told_before_the_end(bus, reporter, monkeypatch):
    monkeypatch.setattr(reports, "GATHER_S", 60.0)
    for percent in (50, 100):
        reporter.say({"kind": "progress", "token": "t", "percent": percent, "line": ""})
    reporter.say_end(end("t"))
    (message,) = bus.events_take(2.0)
    assert [r.get("percent") for r in message["reports"]] == [100, None]


def test_a_worker_that_ends_tells_what_is_left(bus, reporter, monkeypatch):
    monkeypatch.setattr(reports, "GATHER_S", 60.0)
    reporter.say({"kind": "started", "token": "t", "started_at": 1.0})
    reporter.close()
    assert kinds(bus.events_take(2.0)) == [("started", "t")]


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


class Odd:
    """A runner of another package which says of itself what nobody can keep."""

    def check(self, _payload):
        return []

    def run(self, _payload, context):
        for percent in (object(), float("nan"), 1e400, "half", Decimal(50)):
            context.progress(percent, "on the way\0")
        return Outcome(End.COMPLETED, exit_code=2**40)


@pytest.mark.django_db(transaction=True)
def test_what_a_runner_says_of_itself_silences_nobody(bus, dispatcher, worker):
    worker._runners._runners["noop"] = Odd()
    execution = finish(submit(bus, {"task_id": "A"}, {"task_id": "B"}, max_retries=0))
    assert states(execution) == {"A": "completed", "B": "completed"}
