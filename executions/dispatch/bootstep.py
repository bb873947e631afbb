"""Makes Celery workers carry the dispatcher (`--dispatcher`) and lanes (unless `--no-lanes`).

Imported before Django is set up; what touches tables is imported where a step starts.
"""

from __future__ import annotations

import threading
from typing import Any

import click
import structlog
from celery import Celery, bootsteps

from executions.dispatch import broker, lanes

log = structlog.get_logger(__name__)

JOIN_S = 20.0


class DispatcherStep(bootsteps.StartStopStep):
    """Runs the dispatcher in a thread of this worker."""

    requires = ("celery.worker.components:Pool",)

    def __init__(self, parent: Any, *, dispatcher: bool = False, **options: Any) -> None:
        super().__init__(parent, **options)
        self.enabled = dispatcher

    def start(self, parent: Any) -> None:  # noqa: ARG002 (Celery's signature)
        """Begin to serve."""
        from executions.dispatch.bus import default_bus
        from executions.dispatch.dispatcher import Dispatcher

        self._dispatcher = Dispatcher(default_bus())
        self._thread = threading.Thread(target=self._dispatcher.run, name="dispatcher", daemon=True)
        self._thread.start()

    def stop(self, parent: Any) -> None:  # noqa: ARG002
        """Hand the lead over."""
        self._dispatcher.stop()
        self._thread.join(JOIN_S)

    terminate = stop
    """A cold shutdown too: Celery's own step would do nothing."""


class LanesStep(bootsteps.StartStopStep):
    """Makes this worker take assignments."""

    requires = ("celery.worker.components:Pool",)

    def __init__(self, parent: Any, *, no_lanes: bool = False, **options: Any) -> None:
        super().__init__(parent, **options)
        self.enabled = not no_lanes

    def start(self, parent: Any) -> None:
        """Announce the worker."""
        from executions.dispatch.bus import default_bus
        from executions.dispatch.worker import LaneWorker

        hostname = parent.hostname
        self._worker = LaneWorker(
            default_bus(), parent.concurrency, lambda: lanes.start_lane(hostname)
        )
        lanes.serving = self._worker
        self._worker.start()

    def stop(self, parent: Any) -> None:  # noqa: ARG002
        """Drain, in a thread: told again, Celery raises in this one, which must only hasten it."""
        drained = threading.Event()  # an interrupted `join` takes a thread that runs for ended
        threading.Thread(target=self._drain, args=(drained,), name="drain").start()
        try:
            drained.wait()
        except Exception as error:  # noqa: BLE001 (a pool of threads cannot kill what it runs)
            log.warning("told again to end; handing back at once", error=repr(error))
            self._worker.hurry()
            drained.wait()
        lanes.serving = None

    def _drain(self, drained: threading.Event) -> None:
        try:
            self._worker.drain()
        finally:
            drained.set()

    def terminate(self, parent: Any) -> None:
        """Hand everything back at once."""
        self._worker.hurry()
        self.stop(parent)


def install(app: Celery) -> None:
    """Teach a Celery application the two options, the two steps and its way to Redis."""
    app.user_options["worker"].add(
        click.Option(["--dispatcher"], is_flag=True, help="Carry the dispatcher.")
    )
    app.user_options["worker"].add(
        click.Option(["--no-lanes"], is_flag=True, help="Take no assignments.")
    )
    app.steps["worker"].update((DispatcherStep, LanesStep))
    broker.install()
