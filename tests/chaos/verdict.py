"""What must hold after every drill, read from the rows and from the tasks' own diary.

Limits, order, attempts and retries are judged by `tests.invariants`, as for the brain itself.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from django.conf import settings
from django.db import connection

from executions.models import Attempt, AttemptOutput, Execution, TaskRun, WorkerProcess
from executions.models.snapshots import group_of, site_limits
from executions.scheduling.model import (
    FINAL_EXECUTION_STATES,
    FINAL_TASK_STATES,
    LIVE_ATTEMPT_STATES,
)
from tests.chaos.load import SECRET, Trace, traces
from tests.chaos.site import SLOTS
from tests.chaos.stage import Stage
from tests.invariants import AttemptRecord, History, problems

OVERLAP_GRACE_S = 0.05
LIMITS_LAG_S = 10.0
"""A limit that was changed may go unnoticed for so long where the word of it is lost."""
MOMENTS = ("dispatched_at", "released_at", "started_at", "finished_at")


def verdict(stage: Stage) -> list[str]:
    """Every broken promise in words; empty: all were kept. The site still runs."""
    return [
        *_everything_ended(),
        *_log_agrees(stage),
        *_work_agrees(traces(stage.diary)),
        *_database_sound(),
        *stage.pages.faults(),
    ]


def _everything_ended() -> list[str]:
    faults = [
        f"{e} is {e.state}" for e in Execution.objects.exclude(state__in=FINAL_EXECUTION_STATES)
    ]
    open_runs = TaskRun.objects.exclude(state__in=FINAL_TASK_STATES).count()
    live = Attempt.objects.filter(state__in=LIVE_ATTEMPT_STATES).count()
    held = Attempt.objects.filter(released_at=None).count()
    for count, what in ((open_runs, "open task runs"), (live, "live attempts"), (held, "permits")):
        if count:
            faults.append(f"{count} {what} left")
    for execution in Execution.objects.all():
        counts: defaultdict[str, int] = defaultdict(int)
        for state in execution.task_runs.values_list("state", flat=True):
            counts[state] += 1
        if dict(counts) != execution.counts:
            faults.append(f"{execution} counts {execution.counts}, rows say {dict(counts)}")
    return faults


def _log_agrees(stage: Stage) -> list[str]:
    """The whole attempt log, over all executions at once, against groups and limits."""
    executions = {e.pk: e for e in Execution.objects.all()}
    rows: defaultdict[int, list[TaskRun]] = defaultdict(list)
    for row in TaskRun.objects.order_by("execution", "position"):
        rows[row.execution_id].append(row)
    groups = {e.public_id: group_of(e, rows[pk]) for pk, e in executions.items()}
    return problems(
        [_record(attempt) for attempt in Attempt.objects.select_related("task_run")],
        groups,
        limits=_limits(stage),
        workers=dict.fromkeys(WorkerProcess.objects.values_list("pk", flat=True), SLOTS),
        states={
            (executions[pk].public_id, row.task_id): row.state
            for pk, found in rows.items()
            for row in found
        },
        slack_s=stage.slack_s,
        limits_lag_s=LIMITS_LAG_S,
    )


def _limits(stage: Stage) -> History:
    """As they were from when on; what a run brought along was always so."""
    now = site_limits()
    return [(since, {**now, **limits}) for since, limits in stage.limits]


def _record(attempt: Attempt) -> AttemptRecord:
    moments = {name: getattr(attempt, name) for name in MOMENTS}
    return AttemptRecord(
        execution=f"PEXEC-{attempt.execution_id}",
        task=attempt.task_run.task_id,
        number=attempt.number,
        state=attempt.state,
        worker=attempt.worker,
        reason=attempt.reason,
        **{name: at and at.timestamp() for name, at in moments.items()},
    )


def _work_agrees(found: list[Trace]) -> list[str]:
    """What the tasks wrote down: one live attempt a task at a time, none after a completion."""
    faults = []
    completed = {
        (task, number): at.timestamp()
        for task, number, at in Attempt.objects.filter(state="completed").values_list(
            "token", "number", "released_at"
        )
    }
    released = {
        token: (at.timestamp(), state)
        for token, at, state in Attempt.objects.values_list("token", "released_at", "state")
    }
    for trace in found:
        at, state = released.get(trace.token, (None, ""))
        for moment, what in ((trace.began_at, "began"), (trace.ended_at, "ended")):
            if at is not None and moment is not None and moment > at + OVERLAP_GRACE_S:
                late = f"{moment - at:.2f} s after its permit was freed ({state})"
                faults.append(f"{trace.task} attempt {trace.attempt} {what} {late}")
        if (trace.token, trace.attempt) in completed and trace.ended_at is None:
            faults.append(f"{trace.task} attempt {trace.attempt} is completed but did not end")
    return faults


def _database_sound() -> list[str]:
    if connection.vendor != "sqlite":
        return []
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA integrity_check")
        answer = cursor.fetchone()[0]
    return [] if answer == "ok" else [f"integrity check: {answer}"]


def told_too_much(var: Path) -> list[str]:
    """Secrets and tokens that stand in a log, or in what a task printed."""
    hidden = {
        "the key": settings.SECRET_KEY,
        "a secret": SECRET,
        **{f"a token of {a.task_run}": a.token for a in Attempt.objects.select_related("task_run")},
    }
    faults = []
    for path in sorted(var.glob("*.log")):
        text = path.read_text(errors="replace")
        faults += [f"{path.name} tells {what}" for what, value in hidden.items() if value in text]
    for output in AttemptOutput.objects.select_related("attempt__task_run"):
        if SECRET.encode() in bytes(output.head) + bytes(output.tail):
            faults.append(f"the output of {output.attempt.task_run} tells a secret")
    return faults
