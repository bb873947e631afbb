"""What must hold after every drill, read from the rows and from the tasks' own diary."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from django.db import connection
from django.db.models import F

from executions.models import Attempt, Execution, TaskRun
from executions.scheduling.model import (
    FINAL_EXECUTION_STATES,
    FINAL_TASK_STATES,
    LIVE_ATTEMPT_STATES,
    TaskState,
)
from tests.chaos.load import Trace, traces

OVERLAP_GRACE_S = 0.05


def verdict(diary: Path) -> list[str]:
    """Every broken promise in words; empty: all were kept."""
    return [
        *_everything_ended(),
        *_numbers_without_gaps(),
        *_dependencies_first(),
        *_one_completion(),
        *_exclusive_means_alone(),
        *_work_agrees(traces(diary)),
        *_database_sound(),
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


def _numbers_without_gaps() -> list[str]:
    numbers: defaultdict[int, list[int]] = defaultdict(list)
    for task_run, number in Attempt.objects.order_by("number").values_list("task_run", "number"):
        numbers[task_run].append(number)
    return [
        f"task run {pk} has attempts {found}"
        for pk, found in numbers.items()
        if found != list(range(1, len(found) + 1))
    ]


def _dependencies_first() -> list[str]:
    faults = []
    for execution in Execution.objects.all():
        runs = {run.task_id: run for run in execution.task_runs.all()}
        first = {}
        for task_run, at in Attempt.objects.filter(execution=execution).values_list(
            "task_run__task_id", "dispatched_at"
        ):
            first[task_run] = min(at, first.get(task_run, at))
        for task, at in first.items():
            for needed in runs[task].depends_on:
                before = runs[needed]
                if before.state != TaskState.COMPLETED or before.finished_at > at:
                    faults.append(f"{execution}/{task} began before {needed} was done")
    return faults


def _one_completion() -> list[str]:
    late = Attempt.objects.filter(
        task_run__state=TaskState.COMPLETED, dispatched_at__gt=F("task_run__finished_at")
    )
    return [f"{a.task_run} was started again after its completion" for a in late]


def _exclusive_means_alone() -> list[str]:
    """Held times of a resource: an exclusive holder overlaps nobody."""
    held: defaultdict[str, list[tuple[float, float, bool, str]]] = defaultdict(list)
    for attempt in Attempt.objects.exclude(released_at=None).select_related("task_run"):
        for need in attempt.task_run.required_resources:
            held[need["id"]].append(
                (
                    attempt.dispatched_at.timestamp(),
                    attempt.released_at.timestamp(),
                    need.get("exclusive", False),
                    attempt.task_run.task_id,
                )
            )
    faults = []
    for resource, intervals in held.items():
        intervals.sort()
        for n, (begin, end, alone, task) in enumerate(intervals):
            for begin2, _end2, alone2, task2 in intervals[n + 1 :]:
                if begin2 >= end:
                    break
                if alone or alone2:
                    faults.append(f"{resource}: {task} and {task2} together from {begin2 - begin}")
    return faults


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
        token: at.timestamp() for token, at in Attempt.objects.values_list("token", "released_at")
    }
    for trace in found:
        at = released.get(trace.token)
        if at is not None and trace.began_at > at + OVERLAP_GRACE_S:
            faults.append(f"{trace.task} attempt {trace.attempt} began after its permit was freed")
        if at is not None and trace.ended_at is not None and trace.ended_at > at + OVERLAP_GRACE_S:
            faults.append(f"{trace.task} attempt {trace.attempt} outlived its permit")
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
