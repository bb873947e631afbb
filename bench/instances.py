"""Random instances that nobody tuned to: dependencies, needs and limits of many shapes.

Two families. *Resources*, as the scheduling literature makes them: how many tasks precede a task,
which part of the resources it needs, and how scarce these are, from the least that lets every
task run to what a schedule without limits would use at its peak. *Teams*: what pexec's own groups
look like, with teams, types, a counted or exclusive resource, and so many tasks at once.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

from executions.scheduling.conditions import Conditions
from executions.scheduling.model import Group, LimitKey, LimitKind, Requirement, Task, limit_key

RESOURCES = 4
KINDS = 3
DENSITIES = (0.6, 1.3, 2.2)
"""Tasks that a task depends on, on average."""
FACTORS = (0.25, 0.6, 1.0)
"""Part of the resources that a task needs, on average."""
SCARCITIES = (0.1, 0.3, 0.6)
"""0: as little as lets every task run; 1: enough for all that could run at once."""
SLOTS = (4, 8, 16)
SHARES = (0.25, 0.5)
"""Of the slots, what a team or a type may have."""


def resource_instances(count: int, each: int) -> Iterator[Conditions]:
    """Instances of `count` tasks, `each` of every shape."""
    for density, factor, scarcity in itertools.product(DENSITIES, FACTORS, SCARCITIES):
        for n in range(each):
            draw = random.Random(f"{count} {density} {factor} {scarcity} {n}")
            yield resource_instance(draw, count, density, factor, scarcity)


def team_instances(count: int, each: int) -> Iterator[Conditions]:
    """Instances of `count` tasks, `each` of every shape; every second has a few long tasks."""
    for density, slots, share in itertools.product(DENSITIES, SLOTS, SHARES):
        for n in range(each):
            draw = random.Random(f"{count} {density} {slots} {share} {n}")
            yield team_instance(draw, count, density, slots, share, is_heavy=n % 2 == 1)


def resource_instance(
    draw: random.Random, count: int, density: float, factor: float, scarcity: float
) -> Conditions:
    """Tasks that need up to ten units of some of four resources."""
    needed = dependencies(draw, count, density)
    seconds = [draw.randint(1, 10) for _ in range(count)]
    units = [
        [draw.randint(1, 10) if draw.random() < factor else 0 for _ in range(RESOURCES)]
        for _ in range(count)
    ]
    starts: list[int] = []
    for i in range(count):
        starts.append(max((starts[j] + seconds[j] for j in needed[i]), default=0))
    limits = {}
    for r in range(RESOURCES):
        least = max(1, *(row[r] for row in units))
        peak = max(
            sum(units[i][r] for i in range(count) if starts[i] <= at < starts[i] + seconds[i])
            for at in set(starts)
        )
        capacity = least + round(scarcity * max(0, peak - least))
        limits[limit_key(LimitKind.RESOURCE, f"R{r}")] = capacity
    tasks = tuple(
        Task(
            f"T{i}",
            requirements=tuple(Requirement(f"R{r}", n) for r, n in enumerate(units[i]) if n),
            depends_on=tuple(f"T{j}" for j in needed[i]),
            duration_s=float(seconds[i]),
        )
        for i in range(count)
    )
    return Conditions(Group("resources", tasks, max_concurrency=count), limits)


def team_instance(
    draw: random.Random, count: int, density: float, slots: int, share: float, *, is_heavy: bool
) -> Conditions:
    """Tasks of teams and types; one in six needs the database, one in ten of these alone."""
    needed = dependencies(draw, count, density)
    tasks = tuple(
        Task(
            f"T{i}",
            team=f"team{draw.randrange(KINDS)}" if draw.random() < 0.8 else None,
            task_type=f"type{draw.randrange(KINDS)}" if draw.random() < 0.8 else None,
            requirements=(
                (Requirement("db", draw.randint(1, 2), exclusive=draw.random() < 0.1),)
                if draw.random() < 1 / 6
                else ()
            ),
            depends_on=tuple(f"T{j}" for j in needed[i]),
            duration_s=draw.lognormvariate(1, 1) if is_heavy else draw.uniform(1, 10),
        )
        for i in range(count)
    )
    most = max(1, round(slots * share))
    limits: dict[LimitKey, int] = {limit_key(LimitKind.RESOURCE, "db"): max(2, most)}
    for k in range(KINDS):
        limits[limit_key(LimitKind.TEAM, f"team{k}")] = max(1, most + draw.randint(-1, 1))
        limits[limit_key(LimitKind.TASK_TYPE, f"type{k}")] = max(1, most + draw.randint(-1, 1))
    return Conditions(Group("teams", tasks, max_concurrency=slots), limits)


def dependencies(draw: random.Random, count: int, density: float) -> list[list[int]]:
    """For each task the earlier ones it depends on, out of the third before it."""
    reach = max(4, count // 3)
    found: list[list[int]] = []
    for i in range(count):
        near = range(max(0, i - reach), i)
        wanted = sum(draw.random() < density / 6 for _ in range(6))
        found.append(sorted(draw.sample(near, min(len(near), wanted))))
    return found
