"""One link is down and all others work: what can go on goes on, elsewhere where it has to."""

import threading

import pytest

from executions.dispatch import dispatcher as dispatcher_module
from executions.dispatch import worker as worker_module
from executions.dispatch.bus import Bus
from executions.dispatch.dispatcher import Dispatcher
from executions.dispatch.worker import OutputTap
from executions.models import Attempt, Leadership
from tests.dispatch.small_site import WITHIN_S, a_worker, finish, submit, wait_until

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
