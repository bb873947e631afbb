"""Frames lead a page to what the database holds, also where an attempt comes to nothing."""

import pytest

from bench.live import Client, wrong
from executions import frames
from executions.dispatch.live import FanOut
from executions.models import Command, CommandVerb, WorkerProcess
from executions.watching.snapshots import execution_snapshot
from tests.dispatch.small_site import accept, finish, wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def sent(monkeypatch):
    """What is sent to pages, by group."""
    found = []
    plain = FanOut.send

    def send(fan_out, group, text):
        found.append((group, text))
        plain(fan_out, group, text)

    monkeypatch.setattr(FanOut, "send", send)
    return found


def a_worker_that_never_answers(now):
    WorkerProcess.objects.create(
        incarnation="mute", host="x", pid=1, slots=4, first_seen_at=now, heartbeat_at=now
    )


def test_a_slot_that_was_held_for_nothing_is_shown_as_never_held(bus, sent, request):
    execution = accept([{"task_id": "A"}], {})
    page = Client({})
    page._take(frames.encoded(execution_snapshot(execution.pk)))
    a_worker_that_never_answers(execution.created_at)
    request.getfixturevalue("dispatcher")
    wait_until(execution.task_runs.filter(state="dispatched").exists, "A is dispatched")
    Command.objects.create(execution=execution, verb=CommandVerb.CANCEL, at=execution.created_at)
    WorkerProcess.objects.update(gone_at=execution.created_at)
    bus.wake()
    finish(execution)
    group = f"execution.{execution.pk}"
    wait_until(lambda: any('"completed_at"' in text for _, text in sent), "its end is told")
    for told, text in [*sent]:
        if told == group:
            page._take(text)
    assert page.is_over
    assert wrong(execution.pk, [page]) == []
