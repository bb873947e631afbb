"""Housekeeping of whoever leads: what settings name, one after another, apart from decisions.

Knows nothing of what the chores do; each is small and may be done twice without harm.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import structlog
from django.conf import settings
from django.db import connection
from django.utils.module_loading import import_string

log = structlog.get_logger(__name__)

CHORES_EVERY_S = 60.0


class Chores:
    """A thread that does what is to be done every minute, while `is_leading`."""

    def __init__(
        self, is_leading: Callable[[], bool], names: Sequence[str], every_s: float = CHORES_EVERY_S
    ) -> None:
        self._is_leading = is_leading
        self._chores = [import_string(name) for name in names]
        self._every_s = every_s
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="chores", daemon=True)

    @classmethod
    def of_site(cls, is_leading: Callable[[], bool]) -> Chores:
        """Those that the settings name."""
        return cls(is_leading, settings.PEXEC_CHORES)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the one at hand and end."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(self._every_s)

    def _run(self) -> None:
        while not self._stopping.wait(self._every_s):
            if not self._is_leading():
                continue
            for chore in self._chores:
                try:
                    chore()
                except Exception:
                    log.exception("chore not done")
                finally:
                    connection.close()
