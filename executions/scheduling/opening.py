"""How an open execution is made from a group and its progress.

Owns which tasks make one demand, and what each demand needs. Decides nothing.
"""

from __future__ import annotations

from executions.scheduling import graph
from executions.scheduling.capacity import Capacity, Need
from executions.scheduling.model import (
    OPEN_TASK_STATES,
    ExecutionProgress,
    ExecutionState,
    Group,
    LimitKey,
    LimitKind,
    TaskProgress,
    TaskState,
    limit_key,
)
from executions.scheduling.needs import capacities
from executions.scheduling.runs import Demand, ExecutionRun, PlanHold, TaskRun
from executions.scheduling.urgency import urgencies


def open_execution(
    id_: str, seq: int, group: Group, progress: ExecutionProgress, capacity: Capacity
) -> ExecutionRun:
    """An execution with its tasks where `progress` says they stand; nothing is held or queued."""
    execution = ExecutionRun(id_, seq, group, progress, capacity.board)
    built = graph.build(group.tasks)
    priorities = graph.inherited_priorities(built, group.tasks)
    critical = graph.critical_phase(group, priorities)
    numbers = graph.demand_numbers(group, critical)
    for task in group.tasks:
        run = TaskRun(execution, task, priorities[task.id])
        run.critical = task.id in critical
        execution.tasks[task.id] = run
        number = numbers[task.id]
        if number == len(execution.demands):
            execution.demands.append(_demand(execution, number, run, capacity))
        run.demand = execution.demands[number]
        remembered = progress.tasks.get(task.id)
        if remembered is not None:
            _remember(run, remembered)
        _count(execution, run)
    _connect(execution, built)
    limits = {LimitKey(limit.key): limit.max for limit in capacity.limits.values()}
    execution.urgencies = urgencies(group, built, capacities(group, limits))
    execution.put_in_order(group.ranks)
    if execution.critical_left:
        execution.critical_phase.resize(0)
    if execution.state is ExecutionState.PAUSED:
        execution.paused.resize(0)
    return execution


def _count(execution: ExecutionRun, run: TaskRun) -> None:
    is_open = run.state in OPEN_TASK_STATES
    execution.tasks_left += is_open
    if run.critical:
        execution.critical_left += is_open
        if run.state is TaskState.FAILED and not execution.critical_failure:
            execution.critical_failure = run.id


def _connect(execution: ExecutionRun, built: graph.Graph) -> None:
    tasks = execution.tasks
    for run in tasks.values():
        run.dependents = [tasks[id_] for id_ in built.dependents[run.id]]
        if run.state is not TaskState.COMPLETED:
            for dependent in run.dependents:
                dependent.needs_left += 1


def _remember(run: TaskRun, progress: TaskProgress) -> None:
    run.state = progress.state
    run.attempts = progress.attempts
    run.failures = progress.failures
    run.losses = progress.losses
    run.since = progress.since
    run.not_before = progress.not_before
    run.waits = progress.waits
    if progress.live is not None:
        run.attempts = progress.live.number
        run.worker = progress.live.worker
        run.dispatched_at = progress.live.dispatched_at
        run.started_at = progress.live.started_at


def _demand(execution: ExecutionRun, number: int, run: TaskRun, capacity: Capacity) -> Demand:
    """The class of the task: its gates, and its needs, those that few share first."""
    task, group = run.task, execution.group
    wanted: dict[LimitKey, tuple[int, bool]] = {}
    for requirement in task.requirements:
        key = limit_key(LimitKind.RESOURCE, requirement.resource)
        amount, exclusive = wanted.get(key, (0, False))
        exclusive = exclusive or requirement.exclusive
        wanted[key] = (1 if exclusive else amount + requirement.amount, exclusive)
    if task.team is not None:
        wanted[limit_key(LimitKind.TEAM, task.team)] = (1, False)
    if task.task_type is not None:
        wanted[limit_key(LimitKind.TASK_TYPE, task.task_type)] = (1, False)
    needs: list[Need] = []
    for key, (amount, exclusive) in wanted.items():
        needs.append((capacity.site(key), amount, exclusive))
        if key in group.limits:
            needs.append((execution.own_limit(key, group.limits[key]), amount, exclusive))
    needs.append((execution.own_limit("max_concurrency", group.max_concurrency), 1, False))
    if task.needs_worker:
        needs.append((capacity.workers.limit, 1, False))
    gates = [execution.paused]
    if not run.critical and group.critical_first:
        gates.append(execution.critical_phase)
    if run.id in group.holds:
        hold = PlanHold(execution, group.holds[run.id])
        execution.plan_holds.append(hold)
        gates.append(hold.gate)
    demand = Demand(execution, number, gates, needs)
    demand.needs_worker = task.needs_worker
    return demand
