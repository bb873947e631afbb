"""A site in one process, with threads for a dispatcher and for lanes instead of Celery tasks."""

import threading
import time
from contextlib import contextmanager

from django.db import transaction
from django.utils import timezone

from executions.dispatch.dispatcher import Dispatcher
from executions.dispatch.worker import LaneWorker
from executions.models import Execution, TaskRun
from executions.models.snapshots import group_of
from executions.scheduling.graph import demand_numbers
from executions.scheduling.model import FINAL_EXECUTION_STATES

WITHIN_S = 20.0
LONG = {"task_id": "A", "runner": "shell", "payload": {"command": "sleep 60"}}
"""A task that goes on until it is stopped."""


def wait_until(condition, what):
    deadline = time.monotonic() + WITHIN_S
    while not condition():
        assert time.monotonic() < deadline, what
        threading.Event().wait(0.01)


@contextmanager
def a_dispatcher(bus):
    found = Dispatcher(bus)
    thread = threading.Thread(target=found.run)
    thread.start()
    try:
        yield found
    finally:
        found.stop()
        thread.join(WITHIN_S)
        assert not thread.is_alive()


@contextmanager
def a_worker(bus):
    lanes = []

    def start_lane():
        thread = threading.Thread(target=lambda: found.lane(0.5, 60))
        lanes.append(thread)
        thread.start()

    found = LaneWorker(bus, 4, start_lane)
    found.start()
    try:
        yield found
    finally:
        found.drain(patience_s=0.0)
        for thread in lanes:
            thread.join(WITHIN_S)


@transaction.atomic
def accept(tasks, config):
    """An accepted execution, as services write it."""
    now = timezone.now()
    execution = Execution.objects.create(
        id=int(now.timestamp() * 1000),
        name="test",
        created_at=now,
        total=len(tasks),
        config={
            "max_concurrency": 4,
            "failure_strategy": "continue_on_failure",
            "max_retries": 2,
            "timeout_ms": 10_000,
            "critical_first": False,
            **config,
        },
    )
    rows = [
        TaskRun(
            execution=execution,
            position=n,
            **{
                "runner": "noop",
                "priority": 50,
                "state": "blocked" if task.get("depends_on") else "queued",
                "since": now,
                **task,
            },
        )
        for n, task in enumerate(tasks)
    ]
    numbers = demand_numbers(group_of(execution, rows))
    for row in rows:
        row.demand = numbers[row.task_id]
    TaskRun.objects.bulk_create(rows)
    return execution


def submit(bus, *tasks, **config):
    execution = accept(tasks, config)
    bus.wake()
    return execution


def finish(execution):
    def is_over():
        execution.refresh_from_db()
        return execution.state in FINAL_EXECUTION_STATES

    wait_until(is_over, "the execution ends")
    return execution


def states(execution):
    return dict(execution.task_runs.values_list("task_id", "state"))
