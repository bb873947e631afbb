"""What an attempt prints: passed on while it runs, kept in the database when it is over."""

from __future__ import annotations

import json
import time

import structlog
from django.db import Error as DatabaseError
from django.db import connection

from executions import frames
from executions.dispatch.bus import Bus, BusDownError
from executions.dispatch.live import FanOut
from executions.models import Attempt, AttemptOutput
from executions.runners.output import OutputBuffer, as_text

log = structlog.get_logger(__name__)

MUTED_S = 10.0
"""How long live output is not tried again where it could not be sent."""


class OutputTap:
    """Passes on what an attempt prints while it runs, and keeps it when it is over."""

    def __init__(self, bus: Bus, fan_out: FanOut, token: str) -> None:
        self._bus = bus
        self._fan_out = fan_out
        self._token = token
        self._attempt: int | None = None
        self._muted_until = float("-inf")

    def __call__(self, offset: int, data: bytes) -> None:
        """Pass a piece on; never fails. What prints waits for it, so it is seldom tried in vain."""
        if time.monotonic() < self._muted_until:
            return
        try:
            key = self._key()
            self._bus.output_append(key, offset, data)
            frame = frames.output(attempt=key, offset=offset, text=as_text(data))
            self._fan_out.send(f"output.{key}", json.dumps(frame))
        except (BusDownError, DatabaseError, Attempt.DoesNotExist) as error:
            if isinstance(error, DatabaseError):
                connection.close()
            self._muted_until = time.monotonic() + MUTED_S
            log.debug("live output not sent", error=str(error))

    def _key(self) -> int:
        if self._attempt is None:
            self._attempt = Attempt.objects.values_list("pk", flat=True).get(token=self._token)
        return self._attempt

    def keep(self, output: OutputBuffer) -> None:
        """Write head and tail to the database."""
        if output.total_bytes:
            AttemptOutput.objects.update_or_create(
                attempt_id=self._key(),
                defaults={
                    "head": output.head,
                    "tail": output.tail,
                    "total_bytes": output.total_bytes,
                },
            )
