"""The roster: silence is declared only where both places were watched and both were silent."""

import pytest
from django.utils import timezone

from executions.dispatch.bus import Bus
from executions.dispatch.roster import LOST_AFTER_S, SILENT_AFTER_S, Roster
from executions.models import WorkerProcess

pytestmark = pytest.mark.django_db
LOOK_S = 5.0


@pytest.fixture
def worker():
    now = timezone.now()
    return WorkerProcess.objects.create(
        incarnation="w1", host="h", pid=1, slots=4, first_seen_at=now, heartbeat_at=now
    )


def watch(roster, clock, seconds, each=lambda: None):
    for _ in range(int(seconds / LOOK_S)):
        clock.at += LOOK_S
        each()
        roster.refresh()


def test_a_silent_worker_is_gone_after_the_window_and_not_before(bus, clock, worker):
    roster = Roster(bus, clock)
    roster.refresh()
    watch(roster, clock, LOST_AFTER_S)
    assert [*roster.workers] == ["w1"]
    watch(roster, clock, LOOK_S)
    assert roster.slots() == {}
    worker.refresh_from_db()
    assert worker.gone_at is not None


def test_a_heartbeat_in_redis_alone_keeps_a_worker(bus, clock, worker):
    roster = Roster(bus, clock)
    beats = iter(range(1000))
    watch(roster, clock, 100, lambda: bus.heartbeat("w1", {"n": next(beats), "holds": ["t"]}))
    assert roster.workers["w1"].holds == {"t"}


def test_a_heartbeat_in_the_database_alone_keeps_a_worker(bus, clock, worker):
    roster = Roster(bus, clock)
    watch(roster, clock, 100, written)
    assert [*roster.workers] == ["w1"]


def written():
    WorkerProcess.objects.update(heartbeat_at=timezone.now())


@pytest.mark.parametrize("silent", ["nowhere", "in Redis", "in the database"])
def test_a_worker_silent_in_one_place_is_given_nothing_new_until_it_is_back(
    bus, clock, worker, silent
):
    roster = Roster(bus, clock)
    beats = iter(range(1000))

    def alive(but_for="nowhere"):
        if but_for != "in Redis":
            bus.heartbeat("w1", {"n": next(beats), "holds": []})
        if but_for != "in the database":
            written()

    watch(roster, clock, 60, alive)
    assert roster.slots() == {"w1": 4}
    watch(roster, clock, SILENT_AFTER_S + LOOK_S, lambda: alive(silent))
    assert roster.slots() == {"w1": 4 if silent == "nowhere" else 0}
    watch(roster, clock, LOOK_S, alive)
    assert roster.slots() == {"w1": 4}


def test_nobody_is_silent_while_redis_cannot_be_read(bus, clock, worker, monkeypatch):
    roster = Roster(bus, clock)
    roster.refresh()
    monkeypatch.setattr(bus, "heartbeats", Bus("unix:///nobody.sock", "test").heartbeats)
    watch(roster, clock, 100)
    assert roster.slots() == {"w1": 4}


def test_after_a_blind_spell_one_full_window_passes(bus, clock, worker):
    roster = Roster(bus, clock)
    roster.refresh()
    watch(roster, clock, 40)
    clock.at += 3600  # the dispatcher itself slept
    roster.refresh()
    watch(roster, clock, LOST_AFTER_S)
    assert [*roster.workers] == ["w1"]
    watch(roster, clock, LOOK_S)
    assert roster.slots() == {}


@pytest.mark.parametrize(
    ("skew", "offset"), [(0.0, 0.0), (0.4, 0.0), (3600.0, 3600.0), (-3600.0, -3600.0)]
)
def test_a_clock_that_is_off_is_corrected_by_the_least_delay_seen(bus, clock, worker, skew, offset):
    roster = Roster(bus, clock)
    roster.refresh()
    roster.offset_s("w1", said_at=100.0, now=100.0 + skew)
    assert roster.offset_s("w1", said_at=200.0, now=230.0 + skew) == offset
