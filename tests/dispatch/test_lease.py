"""The lease: one leader at a time, and a term that fences what an old one does."""

from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext

from executions.dispatch.lease import Lease, StaleTermError
from executions.dispatch.rows import statements
from executions.dispatch.timing import LEASE_TTL_S
from executions.models import Leadership

pytestmark = pytest.mark.django_db


def expire() -> None:
    Leadership.objects.update(expires_at=Now() - timedelta(seconds=1))


def test_the_first_to_ask_leads_and_the_second_waits(clock):
    first, second = Lease("a", clock), Lease("b", clock)
    assert first.acquire()
    assert not second.acquire()
    assert first.is_trusted()
    assert not second.is_trusted()


def test_who_waits_asks_without_writing(clock):
    first, second = Lease("a", clock), Lease("b", clock)
    first.acquire()
    with CaptureQueriesContext(connection) as asked:
        assert not second.acquire()
    assert [query["sql"].split()[0] for query in asked] == ["SELECT"]


def test_an_expired_lease_goes_to_the_next_with_a_higher_term(clock):
    first, second = Lease("a", clock), Lease("b", clock)
    first.acquire()
    expire()
    assert second.acquire()
    assert second.term == first.term + 1


def test_a_released_lease_is_free_at_once(clock):
    first, second = Lease("a", clock), Lease("b", clock)
    first.acquire()
    first.release()
    assert second.acquire()


def test_trust_ends_locally_before_the_lease_does(clock):
    lease = Lease("a", clock)
    lease.acquire()
    clock.at += LEASE_TTL_S - 1
    assert not lease.is_trusted()


def test_renewing_prolongs_trust(clock):
    lease = Lease("a", clock)
    lease.acquire()
    clock.at += 10
    assert lease.is_due()
    lease.renew()
    clock.at += 10
    assert lease.is_trusted()


def test_an_old_leader_can_neither_renew_nor_write(clock):
    old, new = Lease("a", clock), Lease("b", clock)
    old.acquire()
    expire()
    new.acquire()
    assert old.is_trusted()
    with pytest.raises(StaleTermError), transaction.atomic(), statements() as made:
        old.hold(made)
    assert not old.is_trusted()
    with pytest.raises(StaleTermError):
        old.renew()


def test_the_same_process_taking_the_lead_again_gets_a_new_term(clock):
    lease = Lease("a", clock)
    lease.acquire()
    before = lease.term
    assert lease.acquire()
    assert lease.term == before + 1
