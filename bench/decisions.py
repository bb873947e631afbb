"""What deciding costs in CPU time: a decision, its growth, and a plan of 10,000 tasks."""

from __future__ import annotations

import gc
import heapq
import random
import time
from statistics import median

from bench.tables import Row, Subject
from executions.scheduling.conditions import Conditions
from executions.scheduling.machine import Machine
from executions.scheduling.messages import (
    AttemptCompleted,
    Dispatch,
    Event,
    ExecutionSubmitted,
    LimitsChanged,
    WorkersChanged,
)
from executions.scheduling.model import Group, LimitKey, LimitKind, Requirement, Task, limit_key
from executions.scheduling.planning import plan

CLASSES = 40
ROUNDS = 5
LARGEST = 100_000
EXECUTION = "PEXEC-1"
TOLD_EVERY = 50
"""Decisions for each time that changed waits are asked for; see `decision_us`."""


def conditions(count: int) -> Conditions:
    """A group of 40 demand classes with dependencies, and limits of which several bind."""
    draw = random.Random(7)
    tasks = []
    for i in range(count):
        needed = {f"T{draw.randrange(max(0, i - 400), i)}" for _ in range(draw.randrange(3)) if i}
        kind = draw.randrange(CLASSES)
        tasks.append(
            Task(
                f"T{i}",
                priority=draw.choice((50, 50, 50, 70, 90)),
                team=f"team{kind % 4}",
                task_type=f"type{kind % 5}",
                requirements=(Requirement("db", amount=1 + kind // 20),),
                depends_on=tuple(sorted(needed)),
                duration_s=draw.uniform(1, 9),
            )
        )
    limits: dict[LimitKey, int] = {limit_key(LimitKind.RESOURCE, "db"): 60}
    limits |= {limit_key(LimitKind.TEAM, f"team{i}"): 15 for i in range(4)}
    limits |= {limit_key(LimitKind.TASK_TYPE, f"type{i}"): 12 for i in range(5)}
    return Conditions(Group("bench", tuple(tasks), max_concurrency=50), limits)


def decision_us(given: Conditions, told_every: int = TOLD_EVERY) -> float:
    """Microseconds of a decision in a simulated run.

    A decision is one answer of `Machine.handle`, told of one attempt that ended, with all that
    follows: dependents queued, the next admitted, who waits for what. The submission is not
    counted, and neither is the clock that plays the workers.

    What waits have changed is asked for, and counted, as the dispatcher does it: ten times a
    second. Its seconds are those of a busy site, not of the simulated tasks, which would leave
    it idle between two decisions: 500 decisions a second, so one question in 50. That is less
    than half the tasks a second of the throughput measurement, so more questions than there.
    """
    machine = Machine()
    seconds = {task.id: task.duration_s or 0.0 for task in given.group.tasks}
    gc.collect()
    start: list[Event] = [LimitsChanged(given.limits), WorkersChanged({"w": 10_000})]
    decision = machine.handle([*start, ExecutionSubmitted(EXECUTION, given.group)], 0.0)
    running: list[tuple[float, AttemptCompleted]] = []
    spent, decisions, now = 0.0, 0, 0.0
    while True:
        for told in decision.instructions:
            if isinstance(told, Dispatch):
                end = now + seconds[told.task]
                ended = AttemptCompleted(EXECUTION, told.task, told.attempt, now, end)
                heapq.heappush(running, (end, ended))
        if not running:
            return spent / decisions * 1e6
        now, ended = heapq.heappop(running)
        began = time.process_time()
        decision = machine.handle([ended], now)
        if decisions % told_every == 0:
            machine.changed_waits()
        spent += time.process_time() - began
        decisions += 1


def measure() -> Subject:
    rounds: dict[int, list[float]] = {size: [] for size in (500, 8_000, 10_000)}
    planned, always_told = [], []
    for _ in range(ROUNDS):
        for size, found in rounds.items():
            # made anew each time: the garbage collector is not to walk the other sizes' groups
            found.append(decision_us(conditions(size)))
        given = conditions(10_000)
        always_told.append(decision_us(given, told_every=1))
        began = time.process_time()
        plan(given.group, limits=given.limits)
        planned.append(time.process_time() - began)
    rounds[LARGEST] = [decision_us(conditions(LARGEST))]
    cost = {size: median(found) for size, found in rounds.items()}
    return Subject(
        [
            Row("a decision, 10,000 tasks, 40 demand classes", cost[10_000], "µs", 20, 10),
            Row("the same, waits asked for after each (idle site)", median(always_told), "µs"),
            Row("growth of a decision, 500 to 8,000 tasks", cost[8_000] / cost[500], "", 1.2, 1.0),
            Row(
                "growth of a decision, 8,000 to 100,000", cost[LARGEST] / cost[8_000], "", 1.5, 1.2
            ),
            Row("a plan of 10,000 tasks", median(planned), "s", 3, 1),
        ],
        {"decision_us": rounds, "always_told_us": always_told, "plan_s": planned},
    )
