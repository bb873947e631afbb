"""What pexec is measured against: plain Celery with Redis results, on the same Redis."""

from __future__ import annotations

import os

from celery import Celery

socket = f"{os.environ.get('PEXEC_VAR', 'var')}/redis.sock"
app = Celery("contender", broker=f"redis+socket://{socket}", backend=f"redis+socket://{socket}")
app.conf.update(
    task_default_queue="contender", worker_prefetch_multiplier=4, worker_hijack_root_logger=False
)


@app.task
def nothing() -> int:
    """The least a task can do."""
    return 1
