"""What keeps work from being done twice or lost; test_mutations takes out rule by rule."""

import threading
import time

import pytest
from django.db.models.functions import Now
from redis import RedisError

from executions.dispatch import worker as worker_module
from executions.dispatch.dispatcher import Dispatcher
from executions.dispatch.lease import Lease, StaleTermError
from executions.dispatch.store import Store
from executions.models import Attempt, Leadership, WorkerProcess
from executions.scheduling.machine import Machine
from executions.scheduling.messages import CancelRequested
from tests.dispatch.small_site import WITHIN_S, a_worker, accept, finish, submit, wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def shell(command, **fields):
    return {"task_id": "A", "runner": "shell", "payload": {"command": command}, **fields}


def running(execution):
    live = Attempt.objects.filter(execution=execution, state="running")
    wait_until(live.exists, "A runs")
    return live.get()


def test_an_order_that_comes_again_starts_nothing_again(bus, dispatcher, worker, tmp_path):
    diary = tmp_path / "diary"
    execution = submit(bus, shell(f"echo begun >> {diary}; sleep 0.5"))
    attempt = running(execution)
    order = [attempt.token, execution.pk, 0, attempt.number]
    for _ in range(3):
        bus.tell({worker.incarnation: {"run": [order, order]}})
    finish(execution)
    wait_until(lambda: not worker._held and worker._queue.empty(), "the worker is idle")
    assert diary.read_text() == "begun\n"


def test_an_end_told_under_an_old_token_ends_nothing(bus, dispatcher):
    """The number of an attempt that never began is given again; its token is not."""
    dead = WorkerProcess.objects.create(
        incarnation="dead", host="h", pid=1, slots=1, first_seen_at=Now(), heartbeat_at=Now()
    )
    execution = submit(bus, shell("sleep 1"))
    given = Attempt.objects.filter(execution=execution, worker="dead")
    wait_until(given.exists, "A is given to the dead worker")
    old = given.get().token
    bus.inbox_take("dead", 1.0)
    with a_worker(bus):
        WorkerProcess.objects.filter(pk=dead.pk).update(gone_at=Now())
        bus.wake()
        attempt = running(execution)
        end = {"kind": "completed", "token": old, "started_at": time.time(), "run_s": 0.0}
        told = {"type": "reports", "worker": attempt.worker, "at": time.time(), "reports": [end]}
        bus.report(told)
        bus.report({**told, "worker": "dead"})
        wait_until(lambda: bus.inbox_take("dead", 1.0), "the dispatcher has heard it")
        attempt.refresh_from_db()
        assert attempt.state == "running"
        assert finish(execution).outcome == "success"


def test_what_another_worker_says_of_an_attempt_changes_nothing(bus, dispatcher, worker):
    execution = submit(bus, shell("sleep 1"))
    attempt = running(execution)
    end = {"kind": "completed", "token": attempt.token, "started_at": time.time(), "run_s": 0.0}
    bus.report({"type": "reports", "worker": "other", "at": time.time(), "reports": [end]})
    wait_until(lambda: bus.inbox_take("other", 1.0), "the dispatcher has heard it")
    attempt.refresh_from_db()
    assert attempt.state == "running"
    assert finish(execution).outcome == "success"


def test_a_leader_that_was_overtaken_writes_nothing():
    execution = accept([{"task_id": "A"}], {})
    old, new = Lease("old"), Lease("new")
    assert old.acquire()
    store, machine = Store(old), Machine(jitter=lambda: 0.5)
    events = [store.load(execution.pk), CancelRequested(execution.public_id)]
    decision = machine.handle(events, time.time())
    Leadership.objects.update(expires_at=None)
    assert new.acquire()
    with pytest.raises(StaleTermError):
        store.commit(decision, now=time.time(), endings={})
    execution.refresh_from_db()
    assert execution.state == "pending"


def test_a_new_leader_sends_again_what_was_never_heard(bus, worker, monkeypatch):
    """A `dispatched` row is the outbox: its message may have died with the old leader."""
    plain = bus.tell
    monkeypatch.setattr(bus, "tell", lambda _messages: None)
    execution = submit(bus, shell("true"))
    for muted in (True, False):
        leader = Dispatcher(bus)
        thread = threading.Thread(target=leader.run)
        thread.start()
        try:
            if muted:
                live = Attempt.objects.filter(execution=execution, state="dispatched")
                wait_until(live.exists, "A is given to the worker")
            else:
                monkeypatch.setattr(bus, "tell", plain)
                assert finish(execution).outcome == "success"
        finally:
            leader.stop()
            thread.join(WITHIN_S)


def test_a_worker_that_can_confirm_itself_nowhere_stops_what_it_runs(
    bus, dispatcher, worker, monkeypatch
):
    def cut_off(*_):
        raise RedisError("for the test")

    execution = submit(
        bus,
        shell(
            "sleep 60",
        ),
        retry_on_lost=0,
    )
    running(execution)
    monkeypatch.setattr(worker_module, "SELF_STOP_S", 0.2)
    monkeypatch.setattr(bus, "heartbeat", cut_off)
    monkeypatch.setattr(worker, "_row_update", lambda **_: -1)
    worker._confirmed_at = time.monotonic()
    wait_until(lambda: not worker._held, "the worker stops it by itself")
    assert finish(execution).state == "failed"
    assert execution.task_runs.get().reason == "worker_lost"
