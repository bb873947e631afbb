"""The roster: silence is declared only where both places were watched and both were silent."""

import pytest
from django.utils import timezone

from executions.dispatch.roster import LOST_AFTER_S, Roster
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
    assert roster.slots() == {"w1": 4}
    watch(roster, clock, LOOK_S)
    assert roster.slots() == {}
    worker.refresh_from_db()
    assert worker.gone_at is not None


def test_a_heartbeat_in_redis_alone_keeps_a_worker(bus, clock, worker):
    roster = Roster(bus, clock)
    beats = iter(range(1000))
    watch(roster, clock, 100, lambda: bus.heartbeat("w1", {"n": next(beats), "holds": ["t"]}))
    assert roster.slots() == {"w1": 4}
    assert roster.workers["w1"].holds == {"t"}


def test_a_heartbeat_in_the_database_alone_keeps_a_worker(bus, clock, worker):
    roster = Roster(bus, clock)

    def beat():
        WorkerProcess.objects.update(heartbeat_at=timezone.now())

    watch(roster, clock, 100, beat)
    assert roster.slots() == {"w1": 4}


def test_after_a_blind_spell_one_full_window_passes(bus, clock, worker):
    roster = Roster(bus, clock)
    roster.refresh()
    watch(roster, clock, 40)
    clock.at += 3600  # the dispatcher itself slept
    roster.refresh()
    watch(roster, clock, LOST_AFTER_S)
    assert roster.slots() == {"w1": 4}
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
