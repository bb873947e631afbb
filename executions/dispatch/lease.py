"""Who leads: a row in the database with a term, aged by the database's own clock.

The holder trusts itself from the start of a renewal for the lease less a margin, by its monotonic
clock; every transaction it makes checks the term on top, so a leader that slept changes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

from django.db import connection, transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from executions.dispatch.rows import Statements
from executions.dispatch.timing import LEASE_MARGIN_S, LEASE_RENEW_EVERY_S, LEASE_TTL_S
from executions.models import Leadership

LEASE = timedelta(seconds=LEASE_TTL_S)
HELD = "SELECT 1 FROM executions_leadership WHERE id = 1 AND term = %s AND holder = %s"
"""For every commit: locks the row where rows are locked; on SQLite the transaction locks all."""


class StaleTermError(Exception):
    """Another dispatcher has taken the lead; forget the machine and wait for the lease."""


class Lease:
    """One dispatcher's claim to lead. `monotonic` is its clock in seconds."""

    def __init__(self, holder: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._holder = holder
        self._monotonic = monotonic
        self._trusted_until = float("-inf")
        self._renew_at = float("-inf")
        self.term = 0

    def is_trusted(self) -> bool:
        """Whether this process may act as the leader without asking."""
        return self._monotonic() < self._trusted_until

    def is_due(self) -> bool:
        """Whether it is time to renew."""
        return self._monotonic() >= self._renew_at

    def acquire(self) -> bool:
        """Take the lead if nobody else holds it, with a new term. Returns whether it was taken."""
        begun = self._monotonic()
        free = Q(expires_at=None) | Q(expires_at__lt=Now()) | Q(holder=self._holder)
        if Leadership.objects.filter(pk=1).exclude(free).exists():
            return False  # to try would lock the row, or all of SQLite, each time
        with transaction.atomic():
            Leadership.objects.get_or_create(pk=1)
            taken = Leadership.objects.filter(free, pk=1).update(
                holder=self._holder,
                term=F("term") + 1,
                expires_at=Now() + LEASE,
            )
            if taken:
                self.term = Leadership.objects.values_list("term", flat=True).get(pk=1)
        if taken:
            self._trust_from(begun)
        return bool(taken)

    def renew(self) -> None:
        """Hold on to the lead. Raises StaleTermError where another took it."""
        begun = self._monotonic()
        kept = Leadership.objects.filter(pk=1, term=self.term, holder=self._holder).update(
            expires_at=Now() + LEASE
        )
        if not kept:
            raise self._lost()
        self._trust_from(begun)

    def hold(self, made: Statements) -> None:
        """Within a transaction: hold the term until it commits, or StaleTermError undoes it all."""
        lock = " FOR UPDATE" if connection.features.has_select_for_update else ""
        made.require(HELD + lock, (self.term, self._holder), self._lost)

    def _lost(self) -> StaleTermError:
        self._trusted_until = float("-inf")
        return StaleTermError()

    def release(self) -> None:
        """Let the next one lead at once."""
        self._trusted_until = float("-inf")
        Leadership.objects.filter(pk=1, term=self.term, holder=self._holder).update(expires_at=None)

    def _trust_from(self, begun: float) -> None:
        self._trusted_until = begun + LEASE_TTL_S - LEASE_MARGIN_S
        self._renew_at = begun + LEASE_RENEW_EVERY_S
