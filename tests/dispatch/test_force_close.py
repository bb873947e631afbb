"""Attempts closed by force, and permits held against attempts: the leader's side."""

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone

from executions import services
from executions.dispatch import dispatcher as dispatcher_module
from executions.models import Attempt, Command, TaskRun
from tests.dispatch.small_site import LONG, finish, states, submit, wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def running(execution):
    live = Attempt.objects.filter(execution=execution, state="running")
    wait_until(live.exists, "A runs")
    return live.get()


def closed(attempt):
    user = get_user_model().objects.create_user("chief")
    services.attempt_force_close(attempt=attempt, user=user, reason="stuck")


def test_a_forced_end_counts_as_lost_and_frees_what_was_held(bus, dispatcher, worker):
    execution = submit(bus, LONG, retry_on_lost=0)
    attempt = running(execution)
    closed(attempt)
    bus.wake()
    finish(execution)
    attempt.refresh_from_db()
    assert (attempt.state, attempt.reason) == ("failed", "worker_lost")
    assert attempt.released_at is not None
    assert Command.objects.get(verb="force_close").by.username == "chief"
    assert Command.objects.get(verb="force_close").payload == {"reason": "stuck"}


def test_its_worker_is_told_to_stop_it(bus, dispatcher, worker):
    execution = submit(bus, LONG, retry_on_lost=0)
    closed(running(execution))
    bus.wake()
    finish(execution)
    wait_until(lambda: not worker._held, "the worker stops it")


def test_what_nobody_knows_is_stopped_on_its_worker(bus, dispatcher, worker, monkeypatch):
    """Even where the order to stop was lost: the next heartbeat gives it away.

    The worker's own look into the database, which finds it too, is left out.
    """
    monkeypatch.setattr(worker, "_by_database", lambda: None)
    execution = submit(bus, LONG, retry_on_lost=0)
    attempt = running(execution)
    plain, lost = dispatcher_module.Leader._say_stop, []

    def once_in_vain(self, name, tokens):
        if lost:
            plain(self, name, tokens)
        lost.append(tokens)

    monkeypatch.setattr(dispatcher_module.Leader, "_say_stop", once_in_vain)
    closed(attempt)
    bus.wake()
    finish(execution)
    wait_until(lambda: not worker._held, "the worker stops it")
    assert lost[:2] == [[attempt.token], [attempt.token]]


def test_what_a_worker_says_of_a_closed_attempt_changes_nothing(bus, dispatcher, worker):
    execution = submit(bus, LONG, retry_on_lost=0)
    attempt = running(execution)
    closed(attempt)
    bus.wake()
    finish(execution)
    before = Attempt.objects.filter(execution=execution).values().get()
    run = TaskRun.objects.filter(execution=execution).values().get()
    late = {"kind": "completed", "token": attempt.token, "started_at": 1.0, "run_s": 1.0}
    worker._reporter.say_end({**late, "result": "too late"})
    assert worker._reporter.flush(10), "the dispatcher answers"
    assert Attempt.objects.filter(execution=execution).values().get() == before
    assert TaskRun.objects.filter(execution=execution).values().get() == run


def test_a_forced_end_of_one_that_was_handed_back_does_not_hold_the_leader_up(
    bus, dispatcher, worker, monkeypatch
):
    """Its row is removed, since it never began; who asked for its end is kept."""
    monkeypatch.setattr(worker, "_is_draining", True)
    live = Attempt.objects.filter(released_at=None)
    accept = type(worker)._accept

    def ask_first(held):
        Command.objects.create(
            attempt=live.get(), verb="force_close", at=timezone.now(), handled_at=timezone.now()
        )
        accept(worker, held)
        monkeypatch.undo()

    monkeypatch.setattr(worker, "_accept", ask_first)
    execution = finish(submit(bus, {"task_id": "A"}))
    assert states(execution) == {"A": "completed"}
    assert Command.objects.get(verb="force_close").attempt is None


@pytest.fixture
def always_audited(monkeypatch):
    monkeypatch.setattr(dispatcher_module, "AUDIT_EVERY_S", 0.0)


def test_a_leader_whose_attempts_are_not_those_of_the_database_loads_again(
    always_audited, bus, dispatcher, worker, caplog
):
    execution = submit(bus, LONG, {"task_id": "B", "depends_on": ["A"]}, retry_on_lost=0)
    attempt = running(execution)
    Attempt.objects.filter(pk=attempt.pk).update(state="failed", released_at=timezone.now())
    bus.wake()
    wait_until(lambda: "permits drifted" in caplog.text, "the leader sees it")
    Attempt.objects.filter(pk=attempt.pk).update(state="running", released_at=None)
    services.execution_cancel(execution=execution, user=None)
    bus.wake()
    assert finish(execution).state == "cancelled"
