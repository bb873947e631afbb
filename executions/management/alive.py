"""Whether a part of the site on this machine works, as container engines ask.

Workers and dispatchers say so in the database; a web process answers.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from datetime import timedelta
from http.client import HTTPConnection, HTTPException

from django.conf import settings
from django.db import DatabaseError
from django.db.models.functions import Now

from executions.dispatch.timing import LOST_AFTER_S
from executions.models import DispatcherProcess, WorkerProcess

SILENCE = timedelta(seconds=LOST_AFTER_S)
ANSWER_WITHIN_S = 5.0
OK = 200


class DeadError(Exception):
    """It does not work; the text says why."""


def check(part: str) -> None:
    """Raise DeadError where this part does not work."""
    try:
        PARTS[part]()
    except DatabaseError as error:
        raise DeadError(f"the database: {error}") from None


def _dispatcher() -> None:
    """Whether it leads or stands by."""
    here = DispatcherProcess.objects.filter(host=socket.gethostname())
    if not here.filter(seen_at__gt=Now() - SILENCE).exists():
        raise DeadError("no dispatcher of this machine gives a sign of life")


def _worker() -> None:
    here = WorkerProcess.objects.filter(host=socket.gethostname(), gone_at=None)
    if not here.filter(heartbeat_at__gt=Now() - SILENCE).exists():
        raise DeadError("no worker process of this machine gives a sign of life")


def _web() -> None:
    """Asks as a browser behind the proxy does: other hosts and plain HTTP are refused."""
    host = next((name.lstrip(".") for name in settings.ALLOWED_HOSTS if name != "*"), "localhost")
    headers = {"Host": host, "X-Forwarded-Proto": "https" if settings.HTTPS else "http"}
    connection = HTTPConnection("127.0.0.1", settings.PORT, timeout=ANSWER_WITHIN_S)
    try:
        connection.request("GET", "/healthz", headers=headers)
        status = connection.getresponse().status
    except (OSError, HTTPException) as error:
        raise DeadError(f"port {settings.PORT}: {error}") from None
    finally:
        connection.close()
    if status != OK:
        raise DeadError(f"/healthz answers {status}")


PARTS: dict[str, Callable[[], None]] = {"web": _web, "dispatcher": _dispatcher, "worker": _worker}
