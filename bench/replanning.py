"""What searching again in mid-run is worth when estimates are wrong, on a virtual clock.

Random groups under several limits run three ways: by the plain rule, by the plan made before the
run, and by that plan with new searches as the run is seen to go otherwise. Exact and repeatable.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from statistics import fmean

from bench.tables import Row, Subject
from executions.scheduling.conditions import Conditions
from executions.scheduling.model import Group, LimitKind, Requirement, Task, limit_key
from executions.scheduling.replanning import Replanning, RunWatch
from executions.scheduling.search import BetterOrder, Budget, better_order

GROUPS = 24
TASKS = 80
SLOTS = 8
SCHEDULES = 150
KINDS = 3


def conditions(seed: int, count: int = TASKS) -> Conditions:
    """A group whose teams, types and resource all hold it up."""
    draw = random.Random(seed)
    tasks = [
        Task(
            f"T{i}",
            team=f"team{draw.randrange(KINDS)}",
            task_type=f"type{draw.randrange(KINDS)}",
            requirements=(Requirement("db", draw.randint(1, 3)),) if draw.random() < 0.4 else (),
            depends_on=tuple(
                sorted(
                    {
                        f"T{draw.randrange(max(0, i - 25), i)}"
                        for _ in range(draw.choice((0, 1, 1, 2)))
                        if i
                    }
                )
            ),
            duration_s=draw.uniform(1, 9),
        )
        for i in range(count)
    ]
    limits = {limit_key(LimitKind.RESOURCE, "db"): 4}
    limits |= {limit_key(LimitKind.TEAM, f"team{i}"): 4 for i in range(KINDS)}
    limits |= {limit_key(LimitKind.TASK_TYPE, f"type{i}"): 3 for i in range(KINDS)}
    return Conditions(Group("bench", tuple(tasks), max_concurrency=SLOTS), limits, SLOTS)


def noise(draw: random.Random) -> Callable[[Task], float]:
    """Every task off by its own factor, a third either way."""
    return lambda _task: draw.lognormvariate(-0.045, 0.3)


def wrong_types(draw: random.Random) -> Callable[[Task], float]:
    """Half, as and four times as long as estimated, by type."""
    factors = {f"type{i}": f for i, f in enumerate(draw.sample([0.5, 1.0, 4.0], KINDS))}
    return lambda task: factors[task.task_type or ""]


WRONG = {"a third off": noise, "one type 4 times as long": wrong_types}


def makespans(
    given: Conditions, plan: BetterOrder, actual: dict[str, float], schedules: int = SCHEDULES
) -> tuple[float, float, float]:
    """(plain rule, planned once, searched again), each run with the actual durations."""
    planned = given.with_order(plan.ranks, plan.holds)
    watch = RunWatch("PEXEC-0", planned.group, 0.0, plan.makespan_s)
    again = Replanning(watch, given.limits, SLOTS, schedules=schedules)
    return (
        given.run(actual).makespan_s,
        planned.run(actual).makespan_s,
        planned.run(actual, steer=again.steer).makespan_s,
    )


def measure() -> Subject:
    groups = [conditions(seed) for seed in range(GROUPS)]
    plans = [
        better_order(given, draw=random.Random(1), budget=Budget(2 * SCHEDULES)) for given in groups
    ]
    rows, raw = [], {}
    for name, wrong in WRONG.items():
        once, again = [], []
        for seed, (given, plan) in enumerate(zip(groups, plans, strict=True)):
            factor = wrong(random.Random(seed))
            actual = {task.id: (task.duration_s or 0) * factor(task) for task in given.group.tasks}
            plain_s, once_s, again_s = makespans(given, plan, actual)
            once.append(once_s / plain_s)
            again.append(again_s / plain_s)
        rows.append(Row(f"{name}: planned once, over the plain rule", fmean(once)))
        rows.append(Row(f"{name}: searched again, over the plain rule", fmean(again), "", 1.0))
        raw[name] = {"once": once, "again": again}
    return Subject(rows, {"ratios": raw})
