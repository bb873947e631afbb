"""Judges a finished attempt log against what was promised. Knows no scheduler code but the nouns.

`assert_valid(log, groups, limits=…)` serves the properties of the brain, the end-to-end tests and
the fault runs alike. Times are float seconds of one clock; `slack_s` allows for a worker's own.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from executions.scheduling.model import Group, Strategy, Task

CHARGED = ("error", "timeout", "rejected")
History = Sequence[tuple[float, Mapping[str, int]]]
"""(from when on, limits by key), oldest first."""


@dataclass(frozen=True)
class AttemptRecord:
    """One row of the attempt log. It held its slot from `dispatched_at` to `released_at`."""

    execution: str
    task: str
    number: int
    state: str
    dispatched_at: float
    released_at: float | None
    started_at: float | None = None
    finished_at: float | None = None
    worker: str = ""
    reason: str = ""


def assert_valid(log: Iterable[AttemptRecord], groups: Mapping[str, Group], **more) -> None:
    found = problems(log, groups, **more)
    assert not found, "\n".join(found[:20])


def problems(
    log: Iterable[AttemptRecord],
    groups: Mapping[str, Group],
    *,
    limits: Mapping[str, int] | History = (),
    workers: Mapping[str, int] | History = (),
    states: Mapping[tuple[str, str], str] | None = None,
    slack_s: float = 0.0,
    limits_lag_s: float = 0.0,
) -> list[str]:
    """Everything wrong with the log, in words.

    `limits` are the site's (what is not named is not judged), or their history; one that was
    changed less than `limits_lag_s` ago may not have been noticed yet. `states` are the final
    states of the task runs by (execution, task).
    """
    rows = sorted(log, key=lambda row: (row.dispatched_at, row.number))
    of_task: dict[tuple[str, str], list[AttemptRecord]] = defaultdict(list)
    for row in rows:
        of_task[row.execution, row.task].append(row)
    tasks = {id_: {task.id: task for task in group.tasks} for id_, group in groups.items()}
    found: list[str] = []
    for (execution, id_), attempts in of_task.items():
        where = f"{execution} {id_}"
        group, task = groups[execution], tasks[execution][id_]
        found += [f"{where}: {text}" for text in _attempt_problems(attempts, slack_s)]
        found += [f"{where}: {text}" for text in _retry_problems(attempts, group, task)]
        found += [
            f"{where}: {text}"
            for text in _dependency_problems(attempts, task, of_task, execution, slack_s)
        ]
    for execution, group in groups.items():
        found += _phase_problems(execution, group, [r for r in rows if r.execution == execution])
    found += _limit_problems(rows, groups, tasks, _history(limits), limits_lag_s)
    found += _worker_problems(rows, _history(workers), limits_lag_s)
    found += _state_problems(of_task, groups, states or {})
    return found


def _history(limits: Mapping[str, int] | History) -> History:
    return [(float("-inf"), limits)] if isinstance(limits, Mapping) else limits


def _attempt_problems(attempts: list[AttemptRecord], slack_s: float) -> Iterable[str]:
    expected = 1
    free_at = float("-inf")
    completed = False
    for row in attempts:
        if completed:
            yield f"attempt {row.number} after a completion"
        if row.number != expected:
            yield f"attempt {row.number} where {expected} was due"
        if row.dispatched_at < free_at:
            yield f"attempt {row.number} while another was live"
        unused = row.state == "returned" and row.started_at is None
        expected = row.number if unused else row.number + 1
        free_at = float("inf") if row.released_at is None else row.released_at
        completed = completed or row.state == "completed"
        moments = [row.dispatched_at, row.started_at, row.finished_at, row.released_at]
        known = [moment for moment in moments if moment is not None]
        if any(later < earlier - slack_s for earlier, later in itertools.pairwise(known)):
            yield f"attempt {row.number} has its times out of order: {known}"


def _retry_problems(attempts: list[AttemptRecord], group: Group, task: Task) -> Iterable[str]:
    charged = sum(row.reason in CHARGED for row in attempts)
    lost = sum(row.reason == "worker_lost" for row in attempts)
    retries = group.max_retries if task.max_retries is None else task.max_retries
    allowed = 1 + retries if group.strategy is Strategy.RETRY_FAILED else 1
    if charged > allowed:
        yield f"{charged} failed attempts, {allowed} allowed"
    if lost > 3:
        yield f"{lost} lost attempts"


def _dependency_problems(
    attempts: list[AttemptRecord],
    task: Task,
    of_task: Mapping[tuple[str, str], list[AttemptRecord]],
    execution: str,
    slack_s: float,
) -> Iterable[str]:
    begun = min(row.dispatched_at for row in attempts)
    for needed in task.depends_on:
        done = [row for row in of_task.get((execution, needed), []) if row.state == "completed"]
        if not done:
            yield f"started although {needed} never completed"
        elif done[0].released_at is None or begun < done[0].released_at - slack_s:
            yield f"started before {needed} completed"


def _phase_problems(execution: str, group: Group, rows: Sequence[AttemptRecord]) -> Iterable[str]:
    if not group.critical_first:
        return
    critical = {task.id for task in group.tasks if task.priority >= 90}
    by_id = {task.id: task for task in group.tasks}
    left = list(critical)
    while left:
        for needed in by_id[left.pop()].depends_on:
            if needed not in critical:
                critical.add(needed)
                left.append(needed)
    ends = [row.released_at for row in rows if row.task in critical]
    over = max((float("inf") if end is None else end for end in ends), default=float("-inf"))
    for row in rows:
        if row.task not in critical and row.dispatched_at < over:
            yield f"{execution} {row.task}: started in the critical phase"


def _holds(row: AttemptRecord, group: Group, task: Task) -> Iterable[tuple[str, int, bool]]:
    """(key, units, exclusive) of all that an attempt held."""
    wanted = [(f"resource:{r.resource}", r.amount, r.exclusive) for r in task.requirements]
    if task.team is not None:
        wanted.append((f"team:{task.team}", 1, False))
    if task.task_type is not None:
        wanted.append((f"task_type:{task.task_type}", 1, False))
    yield from wanted
    for key, amount, exclusive in wanted:
        if key in group.limits:
            yield f"{row.execution}/{key}", amount, exclusive
    yield f"{row.execution}/max_concurrency", 1, False


def _limit_problems(
    rows: Sequence[AttemptRecord],
    groups: Mapping[str, Group],
    tasks: Mapping[str, Mapping[str, Task]],
    history: History,
    lag_s: float,
) -> Iterable[str]:
    own: dict[str, int] = {}
    for execution, group in groups.items():
        own[f"{execution}/max_concurrency"] = group.max_concurrency
        own.update({f"{execution}/{key}": value for key, value in group.limits.items()})
    changes: dict[str, list[tuple[float, int, int, int, AttemptRecord]]] = defaultdict(list)
    for row in rows:
        for key, units, exclusive in _holds(
            row, groups[row.execution], tasks[row.execution][row.task]
        ):
            changes[key].append((row.dispatched_at, 1, units, exclusive, row))
            if row.released_at is not None:
                changes[key].append((row.released_at, 0, units, exclusive, row))
    for key, listed in changes.items():
        used = holders = alone = 0
        for at, is_take, units, exclusive, row in sorted(listed, key=lambda change: change[:2]):
            sign = 1 if is_take else -1
            used, holders, alone = used + sign * units, holders + sign, alone + sign * exclusive
            if not is_take:
                continue
            if alone and holders > 1:
                yield f"{row.execution} {row.task}: {key} held alone and shared at {at}"
            most = own.get(key, _most(history, key, at, lag_s))
            if most is not None and (1 if exclusive else used) > most:
                yield f"{row.execution} {row.task}: {used} of {most} of {key} held at {at}"


def _most(history: History, key: str, at: float, lag_s: float) -> int | None:
    """The most generous limit in force within the lag before `at`; None: not judged."""
    last = bisect_right([since for since, _ in history], at)
    first = max(0, bisect_right([since for since, _ in history], at - lag_s) - 1)
    named = [limits[key] for _, limits in history[first:last] if key in limits]
    return max(named) if named else None


def _worker_problems(
    rows: Sequence[AttemptRecord], history: History, lag_s: float
) -> Iterable[str]:
    if not history:
        return
    changes = [(row.dispatched_at, 1, row) for row in rows if row.worker]
    changes += [(r.released_at, 0, r) for r in rows if r.worker and r.released_at is not None]
    used: dict[str, int] = defaultdict(int)
    for at, is_take, row in sorted(changes, key=lambda change: change[:2]):
        used[row.worker] += 1 if is_take else -1
        if is_take and used[row.worker] > (_most(history, row.worker, at, lag_s) or 0):
            yield f"{row.execution} {row.task}: no free slot on {row.worker} at {at}"


def _state_problems(
    of_task: Mapping[tuple[str, str], list[AttemptRecord]],
    groups: Mapping[str, Group],
    states: Mapping[tuple[str, str], str],
) -> Iterable[str]:
    for (execution, id_), state in states.items():
        attempts = of_task.get((execution, id_), [])
        completed = any(row.state == "completed" for row in attempts)
        if completed != (state == "completed"):
            yield f"{execution} {id_}: {state}, but its attempts say otherwise"
        if state not in ("completed", "failed", "cancelled", "skipped"):
            yield f"{execution} {id_}: {state} is no end"
        if any(row.released_at is None for row in attempts):
            yield f"{execution} {id_}: ended, and an attempt still holds its slot"
        if state == "skipped" and any(row.started_at is not None for row in attempts):
            yield f"{execution} {id_}: skipped, and it had started"
    if states:
        for execution, group in groups.items():
            for task in group.tasks:
                if (execution, task.id) not in states:
                    yield f"{execution} {task.id}: nothing is recorded of it"
