"""A finished execution as the dispatcher leaves it: the four tasks of the published sample."""

import secrets
from datetime import UTC, datetime, timedelta

from executions import services, specs
from executions.models import Attempt, AttemptOutput, Execution, TaskRun

START = datetime(2024, 1, 15, 11, 0, 0, tzinfo=UTC)
SAMPLE = {
    "name": "sample",
    "tasks": [
        {"id": "TASK-001"},
        {"id": "TASK-002"},
        {"id": "TASK-003"},
        {"id": "TASK-004"},
        {"id": "TASK-005", "depends_on": ["TASK-003"]},
    ],
}
RAN_S = {"TASK-001": (0, 1800), "TASK-002": (0, 2700), "TASK-003": (0, 1200), "TASK-004": (5, 1495)}


def finished(user, data=SAMPLE) -> Execution:
    execution = services.execution_submit(user=user, spec=specs.parse_data(data))
    for row in TaskRun.objects.filter(execution=execution):
        if row.task_id in RAN_S:
            _ran(execution, row, *RAN_S[row.task_id])
        else:
            row.state, row.skipped_because_of = "skipped", "TASK-003"
            row.save()
    Execution.objects.filter(pk=execution.pk).update(
        state="completed",
        outcome="partial",
        started_at=START,
        completed_at=START + timedelta(seconds=2700),
        counts={"completed": 3, "failed": 1, "skipped": 1},
        alone={"team:dev_team": 270.0},
        waited={"team:dev_team": 300.0, "paused": 5.0},
    )
    execution.refresh_from_db()
    return execution


def _ran(execution, row, start_s, took_s) -> None:
    start = START + timedelta(seconds=start_s)
    end = start + timedelta(seconds=took_s)
    is_bad = row.task_id == "TASK-003"
    state, reason, error = (
        ("failed", "timeout", "Timeout exceeded") if is_bad else ("completed", "", "")
    )
    attempt = Attempt.objects.create(
        task_run=row,
        execution=execution,
        number=1,
        token=secrets.token_hex(16),
        worker="w1",
        state=state,
        dispatched_at=start,
        started_at=start,
        finished_at=end,
        released_at=end,
        reason=reason,
        error=error,
        exit_code=1 if is_bad else 0,
    )
    AttemptOutput.objects.create(attempt=attempt, head=b"hello <b>\n", total_bytes=10)
    TaskRun.objects.filter(pk=row.pk).update(
        state=state,
        started_at=start,
        finished_at=end,
        attempts=1,
        reason=reason,
        error=error,
        result=None if is_bad else {"n": 1},
    )
