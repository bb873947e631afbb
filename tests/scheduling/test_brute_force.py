"""Every schedule against the independent checker and against the best there is, found by trying."""

from __future__ import annotations

import itertools
import os
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from executions.scheduling.bounds import lower_bound
from executions.scheduling.model import Group, Reason, Strategy, Task, TaskState
from executions.scheduling.needs import capacities as brain_capacities
from executions.scheduling.simulation import SimulationResult, simulate
from tests.invariants import AttemptRecord, problems
from tests.scheduling.groups import groups, open_limits

often = settings(max_examples=int(os.environ.get("PEXEC_FUZZ", "120")), deadline=None)
plain = groups(most=6, external=False, timed=False).map(
    lambda group: replace(group, critical_first=False, strategy=Strategy.CONTINUE_ON_FAILURE)
)


def log_of(result: SimulationResult) -> list[AttemptRecord]:
    """A simulated attempt starts when it is dispatched and is released when it ends."""
    return [
        AttemptRecord(
            result.execution,
            row.id,
            row.attempts,
            row.status.value,
            dispatched_at=row.started_at,
            released_at=row.finished_at,
            started_at=row.started_at,
            finished_at=row.finished_at,
        )
        for row in result.schedule
        if row.started_at is not None
    ]


def duration_s(task: Task) -> float:
    return 1.0 if task.duration_s is None else task.duration_s


def capacities(group: Group, limits) -> dict[str, int]:
    return {
        **limits,
        "max_concurrency": group.max_concurrency,
        **{f"own {key}": value for key, value in group.limits.items()},
    }


def uses(task: Task, group: Group, limits) -> dict[str, int]:
    """Units of every limit; alone means all of them."""
    found = {"max_concurrency": 1}
    for kind in ("team", "task_type"):
        if getattr(task, kind) is not None:
            found[f"{kind}:{getattr(task, kind)}"] = 1
    for need in task.requirements:
        key = f"resource:{need.resource}"
        found[key] = limits[key] if need.exclusive else need.amount
    for key, most in group.limits.items():
        if key in found:
            found[f"own {key}"] = min(found[key], most)
    return found


def best_makespan_s(group: Group, limits) -> float:
    """The shortest schedule there is: some order, each task as early as it fits, is one."""
    sizes = capacities(group, limits)
    needs = {task.id: uses(task, group, limits) for task in group.tasks}
    return min(
        _place(order, needs, sizes) for order in itertools.permutations(group.tasks) if _fits(order)
    )


def _fits(order) -> bool:
    seen: set[str] = set()
    for task in order:
        if not seen.issuperset(task.depends_on):
            return False
        seen.add(task.id)
    return True


def _place(order, needs, sizes) -> float:
    placed: dict[str, tuple[float, float]] = {}
    for task in order:
        earliest = max((placed[d][1] for d in task.depends_on), default=0.0)
        length = duration_s(task)
        for start in sorted({earliest, *(e for _, e in placed.values() if e > earliest)}):
            moments = {start, *(s for s, _ in placed.values() if start < s < start + length)}
            if all(_has_room(task.id, at, placed, needs, sizes) for at in moments):
                placed[task.id] = (start, start + length)
                break
    return max(end for _, end in placed.values())


def _has_room(id_, at, placed, needs, sizes) -> bool:
    running = [other for other, (start, end) in placed.items() if start <= at < end]
    return all(
        units + sum(needs[other].get(key, 0) for other in running) <= sizes[key]
        for key, units in needs[id_].items()
    )


@often
@given(group=plain, limits=open_limits)
def test_no_schedule_is_invalid_or_better_than_the_best(group, limits):
    result = simulate(group, limits=limits)
    assert all(row.status is TaskState.COMPLETED for row in result.schedule)
    assert not problems(log_of(result), {result.execution: group}, limits=limits)
    best_s = best_makespan_s(group, limits)
    assert result.makespan_s >= best_s - 1e-9
    durations = {task.id: duration_s(task) for task in group.tasks}
    assert lower_bound(group, durations, brain_capacities(group, limits)).seconds <= best_s + 1e-9
    for row in result.schedule:
        needed = [
            times.finished_at for times in result.schedule if times.id in needs_of(group, row)
        ]
        ready = max(needed, default=0.0)
        assert abs(sum(row.waits.values()) - (row.started_at - ready)) < 1e-9


def needs_of(group: Group, row) -> tuple[str, ...]:
    return next(task.depends_on for task in group.tasks if task.id == row.id)


@often
@given(group=plain)
def test_one_limit_keeps_within_grahams_bound(group):
    bare = tuple(replace(t, team=None, task_type=None, requirements=()) for t in group.tasks)
    group = replace(group, tasks=bare, limits={})
    slots = group.max_concurrency
    best_s = best_makespan_s(group, {})
    assert simulate(group, limits={}).makespan_s <= (2 - 1 / slots) * best_s + 1e-9


@often
@given(group=plain, limits=open_limits)
def test_independent_tasks_keep_within_the_bound_for_many_resources(group, limits):
    """Garey and Graham: with s resources, at most s + 1 times the best."""
    group = replace(group, tasks=tuple(replace(t, depends_on=()) for t in group.tasks))
    kinds = {key for task in group.tasks for key in uses(task, group, limits)}
    best_s = best_makespan_s(group, limits)
    assert simulate(group, limits=limits).makespan_s <= (len(kinds) + 1) * best_s + 1e-9


@often
@given(group=groups(timed=False), limits=open_limits, data=st.data())
def test_whatever_fails_the_log_is_valid(group, limits, data):
    ends = st.sampled_from((None, None, "error", "timeout", "worker_lost"))
    outcomes = {t.id: data.draw(st.lists(ends, max_size=3)) for t in group.tasks}
    outcomes = {id_: [reason_of(end) for end in row] for id_, row in outcomes.items()}
    result = simulate(group, limits=limits, outcomes=outcomes)
    states = {(result.execution, row.id): row.status.value for row in result.schedule}
    last = [replace(row, number=1) for row in log_of(result)]
    assert not problems(last, {result.execution: group}, limits=limits, states=states)


def reason_of(end):
    return None if end is None else Reason(end)
