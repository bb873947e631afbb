"""One link is down and all others work: what can go on goes on, elsewhere where it has to."""

import threading

import pytest
from django.conf import settings
from django.utils import timezone

from executions.dispatch import dispatcher as dispatcher_module
from executions.dispatch import worker as worker_module
from executions.dispatch.bus import Bus
from executions.dispatch.dispatcher import Dispatcher
from executions.dispatch.output_tap import OutputTap
from executions.models import Attempt, Command, CommandVerb, Leadership, WorkerProcess
from tests.dispatch.small_site import LONG, WITHIN_S, a_worker, finish, submit, wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def unreachable(tmp_path):
    return Bus(f"unix://{tmp_path}/nobody.sock", "test")


def test_a_worker_that_asks_for_lanes_in_vain_keeps_its_commands_alive(
    bus, dispatcher, monkeypatch
):
    """Asking takes as long as Redis is silent; who asks must not be who says that all is well."""
    monkeypatch.setattr(worker_module, "SELF_STOP_S", 1.5)
    monkeypatch.setattr(worker_module, "HEARTBEAT_EVERY_S", 0.2)
    silent, asked = threading.Event(), threading.Event()
    with a_worker(bus) as worker:
        plain = worker._start_lane

        def start_lane():
            if asked.is_set():
                silent.wait(WITHIN_S)
            else:
                asked.set()
                plain()

        monkeypatch.setattr(worker, "_start_lane", start_lane)
        commands = [
            {"task_id": "A", "runner": "shell", "payload": {"command": "sleep 6"}, "priority": 90},
            {"task_id": "B", "runner": "shell", "payload": {"command": "true"}},
        ]
        execution = submit(bus, *commands, max_retries=0)
        ended = Attempt.objects.filter(execution=execution, task_run__task_id="A")
        wait_until(lambda: ended.exclude(released_at=None).exists(), "A ends")
        silent.set()
        assert ended.get().state == "completed"
        finish(execution)


def test_a_command_does_not_wait_for_live_output_that_cannot_be_sent(unreachable, monkeypatch):
    tried = []
    plain = unreachable.output_append
    monkeypatch.setattr(unreachable, "output_append", lambda *p: tried.append(p) or plain(*p))
    tap = OutputTap(unreachable, None, "token")
    monkeypatch.setattr(tap, "_key", lambda: 1)
    for offset in range(100):
        tap(offset, b"x")
    assert len(tried) == 1


@pytest.fixture
def lose_redis(unreachable, monkeypatch):
    """From the call on nothing that one bus says arrives, and it hears nothing."""
    monkeypatch.setattr(worker_module, "BYPASS_EVERY_S", 0.1)

    def lose(bus):
        for client in ("_redis", "_hints"):
            monkeypatch.setattr(bus, client, getattr(unreachable, client))

    return lose


@pytest.fixture
def own_bus(bus):
    """The worker's, so that only its link is cut."""
    return Bus(settings.REDIS_URL, bus._prefix)


def running(execution):
    return execution.task_runs.filter(state="running")


def test_what_ends_on_a_worker_without_redis_is_recorded(
    bus, own_bus, dispatcher, lose_redis, tmp_path
):
    until_cut = f"until [ -e {tmp_path}/cut ]; do sleep 0.02; done; echo '[1]'"
    task = {"task_id": "A", "runner": "shell", "payload": {"command": until_cut}}
    with a_worker(own_bus):
        execution = submit(bus, task, max_retries=0)
        wait_until(running(execution).exists, "A runs")
        lose_redis(own_bus)
        (tmp_path / "cut").touch()
        finish(execution)
    run = execution.task_runs.get()
    assert (run.state, run.result, run.attempts) == ("completed", [1], 1)
    assert 0 < (run.finished_at - run.started_at).total_seconds() < WITHIN_S


@pytest.mark.usefixtures("dispatcher")
def test_no_slot_is_given_back_before_what_ended_had_ended(
    bus, own_bus, lose_redis, tmp_path, monkeypatch
):
    """A look may take long where Redis is silent; what is heard in it is later than its begin."""
    command = f"until [ -e {tmp_path}/looking ]; do sleep 0.02; done; touch {tmp_path}/end"
    task = {"task_id": "A", "runner": "shell", "payload": {"command": command}}
    plain, told = bus.heartbeats, Attempt.objects.filter(told__isnull=False)
    with a_worker(own_bus):
        execution = submit(bus, task)
        wait_until(running(execution).exists, "A runs")
        lose_redis(own_bus)

        def heartbeats(workers):
            (tmp_path / "looking").touch()
            wait_until(told.exists, "its end is told")
            monkeypatch.setattr(bus, "heartbeats", plain)
            return plain(workers)

        monkeypatch.setattr(bus, "heartbeats", heartbeats)
        finish(execution)
    attempt = told.get()
    ended_at = (tmp_path / "end").stat().st_mtime
    assert ended_at <= attempt.finished_at.timestamp() <= attempt.released_at.timestamp()


def test_a_cancel_reaches_a_worker_without_redis(bus, own_bus, dispatcher, lose_redis):
    with a_worker(own_bus):
        execution = submit(bus, LONG)
        wait_until(running(execution).exists, "A runs")
        lose_redis(own_bus)
        cancel(bus, execution)
        assert finish(execution).state == "cancelled"


def test_an_order_that_never_came_is_cancelled_all_the_same(bus, own_bus, dispatcher, lose_redis):
    with a_worker(own_bus):
        wait_until(WorkerProcess.objects.exists, "it is known")
        lose_redis(own_bus)
        execution = submit(bus, {"task_id": "A"})
        wait_until(execution.task_runs.filter(state="dispatched").exists, "A is given to it")
        cancel(bus, execution)
        assert finish(execution).state == "cancelled"


def test_a_worker_without_redis_hands_back_what_it_runs(bus, own_bus, dispatcher, lose_redis):
    with a_worker(own_bus):
        execution = submit(bus, LONG)
        wait_until(running(execution).exists, "A runs")
        lose_redis(own_bus)
    wait_until(execution.task_runs.filter(state="queued").exists, "A is there for others")
    run = execution.task_runs.get()
    assert (run.failures, run.losses) == (0, 0)
    cancel(bus, execution)
    assert finish(execution).state == "cancelled"


def cancel(bus, execution):
    Command.objects.create(execution=execution, verb=CommandVerb.CANCEL, at=timezone.now())
    bus.wake()


@pytest.fixture
def deaf_soon(monkeypatch):
    monkeypatch.setattr(dispatcher_module, "DEAF_AFTER_S", 0.3)


def test_a_leader_that_cannot_hear_lets_another_lead(bus, worker, unreachable, deaf_soon):
    deaf, hearing = Dispatcher(unreachable), Dispatcher(bus)
    threads = [threading.Thread(target=deaf.run)]
    threads[0].start()
    try:
        wait_until(lambda: Leadership.objects.filter(pk=1, term=1).exists(), "the deaf one leads")
        threads.append(threading.Thread(target=hearing.run))
        threads[1].start()
        execution = submit(bus, {"task_id": "A", "runner": "noop"})
        assert finish(execution).outcome == "success"
    finally:
        for one in (deaf, hearing):
            one.stop()
        for thread in threads:
            thread.join(WITHIN_S)
