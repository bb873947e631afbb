"""Dispatchers that are there are seen, whether they lead or stand by."""

from contextlib import ExitStack
from datetime import timedelta

import pytest
from django.db.models.functions import Now

from executions import health
from executions.dispatch.presence import Presence
from executions.models import DispatcherProcess
from tests.dispatch.small_site import a_dispatcher, wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def leads():
    return sorted(row.leads for row in DispatcherProcess.objects.all())


def test_one_leads_and_the_others_stand_by_until_they_end(bus, client, redis_server):
    with ExitStack() as some:
        for _ in range(3):
            some.enter_context(a_dispatcher(bus))
        wait_until(lambda: leads() == [False, False, True], "all three are seen")
        health.ready_kept.forget()
        told = client.get("/readyz").json()
        assert (told["dispatcher"], told["standbys"]) == ("ok", 2)
        health.metrics_kept.forget()
        assert 'pexec_dispatchers{role="standby"} 2.0' in client.get("/metrics").content.decode()
    assert not DispatcherProcess.objects.exists()


def row(holder, silent_s):
    seen_at = Now() - timedelta(seconds=silent_s)
    about = {"host": "h", "pid": 1, "started_at": seen_at, "seen_at": seen_at}
    DispatcherProcess.objects.create(holder=holder, **about)


def test_one_that_was_killed_is_forgotten():
    row("killed", silent_s=60)
    row("slow", silent_s=20)
    Presence("here").tell()
    assert {*DispatcherProcess.objects.values_list("pk", flat=True)} == {"slow", "here"}


def test_one_that_was_forgotten_says_again_that_it_is_there(monkeypatch):
    monkeypatch.setattr("executions.dispatch.presence.HEARTBEAT_EVERY_S", 0.0)
    presence = Presence("here")
    presence.tell()
    DispatcherProcess.objects.all().delete()
    presence.tell()
    assert DispatcherProcess.objects.filter(pk="here").exists()
