"""Whether schedules are good on instances nobody tuned to: each rule over the lower bound.

The live rule is held against two plain ones, the longest remaining chain and the order of the
group, all by the Machine on a virtual clock: exact and repeatable.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Mapping
from statistics import fmean

from bench.instances import resource_instances, team_instances
from bench.quality import BeatsTheBound
from bench.tables import Row, Subject
from executions.scheduling import graph
from executions.scheduling.bounds import lower_bound
from executions.scheduling.conditions import Conditions
from executions.scheduling.search import Budget, better_order

SIZES = (30, 90)
EACH = 2
SCHEDULES = 600
"""Tried in each search: a fraction of a second's, so that all of this takes a minute."""
AT_MOST = 1.0


def chain_ranks(conditions: Conditions) -> dict[str, int]:
    """The longest remaining chain first."""
    tasks = conditions.group.tasks
    chains = graph.remaining_chains_s(graph.build(tasks), tasks)
    return {id_: n for n, id_ in enumerate(sorted(chains, key=lambda id_: -chains[id_]))}


def group_ranks(conditions: Conditions) -> dict[str, int]:
    """As the group lists them."""
    return {task.id: n for n, task in enumerate(conditions.group.tasks)}


def ratios(conditions: Conditions, *, schedules: int = 0) -> dict[str, float]:
    """Makespan over the lower bound by each rule; planned, if schedules may be tried."""
    seconds = {task.id: task.duration_s or 0.0 for task in conditions.group.tasks}
    bound_s = lower_bound(conditions.group, seconds, conditions.capacities()).seconds
    found = {
        "live": conditions.run().makespan_s,
        "chain": conditions.with_order(chain_ranks(conditions)).run().makespan_s,
        "listed": conditions.with_order(group_ranks(conditions)).run().makespan_s,
    }
    if schedules:
        order = better_order(conditions, draw=random.Random(1), budget=Budget(schedules))
        planned = conditions.with_order(order.ranks, order.holds)
        found["planned"] = planned.run().makespan_s
    if min(found.values()) < bound_s * (1 - 1e-9):
        raise BeatsTheBound(f"{conditions.group.name}: {found}, but at least {bound_s} s")
    return {rule: makespan_s / bound_s for rule, makespan_s in found.items()}


def means(instances: Iterable[Conditions], *, schedules: int = 0) -> Mapping[str, float]:
    """The average ratio by each rule."""
    found: defaultdict[str, list[float]] = defaultdict(list)
    for conditions in instances:
        for rule, ratio in ratios(conditions, schedules=schedules).items():
            found[rule].append(ratio)
    return {rule: fmean(values) for rule, values in found.items()}


def measure() -> Subject:
    rows, raw = [], {}
    for family, instances in (("resources", resource_instances), ("teams", team_instances)):
        for size in SIZES:
            name = f"{family}, {size} tasks"
            found = raw[name] = means(instances(size, EACH), schedules=SCHEDULES)
            rows += [Row(f"{name}: {rule}, over the bound", found[rule]) for rule in found]
            rows.append(
                Row(f"{name}: live over chain", found["live"] / found["chain"], "", AT_MOST)
            )
    return Subject(rows, {"means": raw})
