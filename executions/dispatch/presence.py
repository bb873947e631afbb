"""That a dispatcher process is there, whether it leads or stands by: its row in the database.

For people and monitors only: who leads is decided by the lease.
"""

from __future__ import annotations

import os
import socket
import time
from datetime import timedelta

import structlog
from django.db import DatabaseError
from django.db.models.functions import Now

from executions.dispatch.timing import HEARTBEAT_EVERY_S, LOST_AFTER_S
from executions.models import DispatcherProcess

log = structlog.get_logger(__name__)

FORGOTTEN = timedelta(seconds=LOST_AFTER_S)


class Presence:
    """One dispatcher's signs of life. None of its failures concerns who leads."""

    def __init__(self, holder: str) -> None:
        """`holder`: what its lease is held by."""
        self._holder = holder
        self._due_at = float("-inf")

    def tell(self) -> None:
        """Say that it is there, where that is due; forget those that did not for long."""
        now = time.monotonic()
        if now < self._due_at:
            return
        self._due_at = now + HEARTBEAT_EVERY_S
        about = {"host": socket.gethostname(), "pid": os.getpid(), "started_at": Now()}
        try:
            here = DispatcherProcess.objects.filter(pk=self._holder)
            if not here.update(seen_at=Now()):
                DispatcherProcess.objects.create(pk=self._holder, seen_at=Now(), **about)
            DispatcherProcess.objects.filter(seen_at__lt=Now() - FORGOTTEN).delete()
        except DatabaseError as error:
            log.warning("sign of life not written", error=str(error))

    def leave(self) -> None:
        """Say that it is gone."""
        try:
            DispatcherProcess.objects.filter(pk=self._holder).delete()
        except DatabaseError as error:
            log.warning("its end not written", error=str(error))
