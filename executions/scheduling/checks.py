"""What must hold of a machine between two decisions, counted again from its task runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Mapping

from executions.scheduling.capacity import Capacity, Limit, Need
from executions.scheduling.lifecycle import Lifecycle
from executions.scheduling.model import OPEN_TASK_STATES, ExecutionState, TaskState
from executions.scheduling.runs import Demand, ExecutionRun
from executions.scheduling.story import InvariantBroken
from executions.scheduling.waiting import reasons, wait_change


def check(executions: Mapping[str, ExecutionRun], capacity: Capacity, life: Lifecycle) -> None:
    """Raise `InvariantBroken` with the story of a task concerned."""
    for execution in executions.values():
        _check_counts(execution)
        for problem, task in _task_problems(execution):
            raise InvariantBroken(
                f"{execution.id} {task}: {problem}", life.story.of(execution.id, task)
            )
        _check_demands(execution)
        _check_told(execution, life.admission.untold)
    _check_usage(executions, capacity)
    if life.open_tasks != sum(execution.tasks_left for execution in executions.values()):
        raise InvariantBroken("the count of open tasks is wrong")


def _check_counts(execution: ExecutionRun) -> None:
    counted = execution.counts()
    if execution.tasks_left != sum(counted[state] for state in OPEN_TASK_STATES):
        raise InvariantBroken(f"{execution.id}: the count of tasks left is wrong")
    if not execution.tasks_left:
        raise InvariantBroken(f"{execution.id}: all its tasks ended and it is still open")
    critical = sum(r.critical and r.state in OPEN_TASK_STATES for r in execution.tasks.values())
    if execution.critical_left != critical:
        raise InvariantBroken(f"{execution.id}: the count of critical tasks left is wrong")


def _task_problems(execution: ExecutionRun) -> list[tuple[str, str]]:
    """(problem, task id) for each task run that cannot be as it is."""
    problems = []
    for run in execution.tasks.values():
        needed = [execution.tasks[id_] for id_ in run.task.depends_on]
        done = all(dependency.state is TaskState.COMPLETED for dependency in needed)
        if run.is_live != (run.id in execution.live):
            problems.append((f"{run.state}, but its slot says otherwise", run.id))
        if run.state is TaskState.BLOCKED and done:
            problems.append(("blocked, and all it depends on is done", run.id))
        if run.state in OPEN_TASK_STATES - {TaskState.BLOCKED} and not done:
            problems.append((f"{run.state} before what it depends on", run.id))
        if execution.state is ExecutionState.CANCELLING and (
            run.state in OPEN_TASK_STATES and not run.is_live
        ):
            problems.append((f"{run.state} while the run stops", run.id))
    return problems


def _check_demands(execution: ExecutionRun) -> None:
    for demand in execution.demands:
        queued = [
            run
            for run in execution.tasks.values()
            if run.demand is demand and run.state is TaskState.QUEUED
        ]
        if len(queued) != demand.queued:
            raise InvariantBroken(f"{execution.id}: demand {demand.number} counts its queue wrong")
        lack, _ = reasons(demand, demand.execution.board.short)
        if queued and not lack.keys:
            raise InvariantBroken(
                f"{execution.id} {queued[0].id}: queued, and nothing keeps it from starting"
            )
        if lack is not demand.lack:
            raise InvariantBroken(
                f"{execution.id}: demand {demand.number} waits for {lack.keys}, "
                f"settled as {demand.lack.keys}"
            )
        if queued and demand.head() is not min(queued, key=lambda run: run.order):
            raise InvariantBroken(f"{execution.id}: demand {demand.number} is out of order")


def _check_told(execution: ExecutionRun, untold: Container[Demand]) -> None:
    """Whoever asks for what changed learns all of it."""
    for demand in execution.demands:
        is_known = demand.told is not None or demand.queued
        if is_known and demand not in untold and demand.told != wait_change(demand):
            raise InvariantBroken(
                f"{execution.id}: demand {demand.number} waits for {demand.lack.keys}, "
                f"and nobody would be told"
            )


def _check_usage(executions: Mapping[str, ExecutionRun], capacity: Capacity) -> None:
    limits = [*capacity.limits.values()]
    held: dict[Limit, list[tuple[ExecutionRun, Need]]] = {}
    for execution in executions.values():
        limits.extend(execution.own_limits.values())
        for run in execution.live.values():
            for need in run.demand.needs:
                held.setdefault(need[0], []).append((execution, need))
    for limit in limits:
        _check_limit(limit, [need for _, need in held.get(limit, [])])
        if len(executions) > 1 and not limit.is_local:
            shares = Counter(execution for execution, _ in held.get(limit, []))
            if shares != Counter(limit.held):
                raise InvariantBroken(f"{limit.key}: the executions' shares are counted wrong")
    workers = capacity.workers
    free = workers.limit.max - workers.limit.used
    if free != workers.counted_free():
        raise InvariantBroken(f"{free} free slots, but {workers.counted_free()}")


def _check_limit(limit: Limit, held: list[Need]) -> None:
    used = sum(amount for _, amount, _ in held)
    alone = sum(exclusive for _, _, exclusive in held)
    free = 0 if alone else limit.max - used
    if (limit.used, limit.is_alone, limit.free) != (used, alone, free):
        raise InvariantBroken(f"{limit.key}: {limit.used} used, counted {used} and {free} free")
    for line in limit.lines.values():
        fits = not held and limit.max > 0 if line.exclusive else line.amount <= free
        if fits == bool(line.bit & limit.board.short):
            raise InvariantBroken(f"{limit.key}: whether {line.amount} fit was not seen")
    if alone and len(held) > 1:
        raise InvariantBroken(f"{limit.key}: held alone and by {len(held)} at once")
