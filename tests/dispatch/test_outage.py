"""A database away for a moment: no order fails for it, nothing that was done is forgotten."""

import pytest
from django.db import OperationalError

from executions.dispatch import worker as worker_module
from executions.models import Attempt, AttemptOutput, WorkerProcess
from tests.dispatch.small_site import a_worker, accept, finish, submit, wait_until

pytestmark = pytest.mark.django_db(transaction=True)
HELLO = {"task_id": "A", "runner": "shell", "payload": {"command": "echo hello"}}


def away_first(plain, times, said):
    def sometimes(*args, **options):
        if len(said) < times:
            said.append(args)
            raise OperationalError("for the test")
        return plain(*args, **options)

    return sometimes


def test_an_order_that_cannot_be_read_is_read_again(bus, dispatcher, worker, monkeypatch):
    said = []
    monkeypatch.setattr(worker_module, "READ_AGAIN_S", 0.01)
    monkeypatch.setattr(worker._briefs, "get", away_first(worker._briefs.get, 3, said))
    execution = finish(submit(bus, HELLO, max_retries=0))
    assert execution.outcome == "success"
    assert execution.task_runs.get().attempts == 1
    assert len(said) == 3


def test_a_worker_that_starts_while_the_database_is_away_enters_itself_when_it_is_back(
    bus, dispatcher, monkeypatch
):
    said = []
    monkeypatch.setattr(worker_module, "HEARTBEAT_EVERY_S", 0.05)
    rows = WorkerProcess.objects
    monkeypatch.setattr(rows, "get_or_create", away_first(rows.get_or_create, 3, said))
    with a_worker(bus) as worker:
        assert finish(submit(bus, HELLO, max_retries=0)).outcome == "success"
        assert rows.get().incarnation == worker.incarnation
    assert len(said) == 3
    assert rows.get().gone_at


def test_a_worker_that_could_ask_for_no_lane_asks_again(bus, dispatcher, worker, monkeypatch):
    said = []
    monkeypatch.setattr(worker, "_start_lane", away_first(worker._start_lane, 1, said))
    assert finish(submit(bus, HELLO, max_retries=0)).outcome == "success"
    assert len(said) == 1


def test_an_order_that_stays_unreadable_is_handed_back_without_a_retry(
    bus, dispatcher, worker, monkeypatch
):
    said = []
    monkeypatch.setattr(worker_module, "SELF_STOP_S", 0.0)
    monkeypatch.setattr(worker._briefs, "get", away_first(worker._briefs.get, 2, said))
    execution = finish(submit(bus, HELLO, max_retries=0))
    run = execution.task_runs.get()
    assert (execution.outcome, run.attempts, run.failures, run.losses) == ("success", 1, 0, 0)
    assert len(said) == 2


@pytest.fixture
def kept_back(bus, dispatcher, worker, monkeypatch):
    """A run over while the database was away, so that its output waits on its worker."""
    tap = worker_module.OutputTap
    monkeypatch.setattr(tap, "keep", away_first(tap.keep, 1, []))
    return finish(submit(bus, HELLO, max_retries=0))


def test_what_was_done_is_recorded_though_its_output_has_to_wait(worker, kept_back):
    assert kept_back.outcome == "success"
    assert not AttemptOutput.objects.exists()
    worker._keep_late_outputs()
    assert bytes(AttemptOutput.objects.get().head) == b"hello\n"


def test_output_that_waited_until_its_attempt_was_removed_is_dropped(worker, kept_back):
    ((waiting, _),) = worker._late_outputs
    assert waiting._key() == Attempt.objects.get().pk  # it is asked for once
    kept_back.delete()
    worker._keep_late_outputs()
    assert not worker._late_outputs
    assert not AttemptOutput.objects.exists()


def test_what_an_attempt_printed_that_was_not_heard_to_begin_stops_no_leader(bus, request):
    """Its worker died with the word of its start: the order is given again, without its print."""
    execution = accept([HELLO], {})
    now = execution.created_at
    WorkerProcess.objects.create(
        incarnation="mute", host="x", pid=1, slots=4, first_seen_at=now, heartbeat_at=now
    )
    request.getfixturevalue("dispatcher")
    given = Attempt.objects.filter(execution=execution, worker="mute")
    wait_until(given.exists, "it is given out")
    AttemptOutput.objects.create(attempt=given.get(), head=b"lost", total_bytes=4)
    WorkerProcess.objects.update(gone_at=now)
    bus.wake()
    wait_until(lambda: not given.exists(), "it is taken back")
    request.getfixturevalue("worker")
    assert finish(execution).outcome == "success"
    assert bytes(AttemptOutput.objects.get().head) == b"hello\n"
