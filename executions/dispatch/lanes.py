"""The lane: a Celery task that runs attempts one after another until there are none left.

A task is not a Celery message: one message starts a lane, the lane serves many tasks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
from celery import shared_task
from celery.utils.nodenames import worker_direct
from kombu.exceptions import OperationalError

if TYPE_CHECKING:
    from executions.dispatch.worker import LaneWorker

log = structlog.get_logger(__name__)

LINGER_S = 5.0
AGE_S = 180.0

serving: LaneWorker | None = None
"""The lane worker of this process; set by the bootstep."""


@shared_task(name="pexec.lane", ignore_result=True)
def lane() -> None:
    """Serve this worker process for a while."""
    if serving is not None:
        serving.lane(LINGER_S, AGE_S)


def start_lane(hostname: str) -> None:
    """Ask the worker `hostname` for one more lane, through its own queue; it may go unheard."""
    try:
        lane.apply_async(queue=worker_direct(hostname), retry=False)  # asked again anyway
    except OperationalError as error:
        log.warning("no lane asked for", error=str(error))
