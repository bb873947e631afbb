"""How good schedules are, on a virtual clock: exact and repeatable."""

from __future__ import annotations

import random
import time
from collections import Counter, defaultdict
from statistics import fmean

from bench.psplib import read_best_known, read_sm
from bench.tables import Missing, Row, Subject, data_folder
from bench.wfformat import read_wfformat
from executions.scheduling.bounds import bounds, lower_bound
from executions.scheduling.conditions import Conditions
from executions.scheduling.model import Group, LimitKey, LimitKind, limit_key
from executions.scheduling.search import Budget, better_order

SETS = {"j30": (5.5, 4.5), "j60": (6.6, 5.3), "j120": (11.5, 10.4)}
PLANNED = {"j30": (1.0, 0.3), "j60": (2.6, 1.5), "j120": (5.3, 3.5)}
SEARCH_S = 1.0
SLOTS = (8, 16, 64)
PLANNED_SLOTS = 16
WORKFLOWS_ASKED = "16 at once, planned over bound"
CAPPED_FROM, CAP, NO_CAP = 10, 4, 1_000_000


class BeatsTheBound(AssertionError):  # noqa: N818 named for what happened
    """A schedule shorter than is possible: a constraint was broken."""


def set_of(instance: str) -> str:
    """j30, j60 or j120."""
    return next(name for name in ("j120", "j30", "j60") if instance.startswith(name))


def measure_psplib(rows: list[Row], raw: dict[str, object]) -> None:
    """Average above the best makespan known: one live pass, and after a second of search."""
    folder = data_folder("psplib")
    above: dict[str, list[float]] = defaultdict(list)
    planned: dict[str, list[float]] = defaultdict(list)
    for instance, (best, bound) in read_best_known(folder / "best-known.csv").items():
        group, limits = read_sm(folder / f"{instance}.sm")
        conditions = Conditions(group, limits)
        live_s = conditions.run().makespan_s
        budget = Budget(seconds=SEARCH_S, now=time.process_time)
        order = better_order(conditions, draw=random.Random(1), budget=budget)
        planned_s = conditions.with_order(order.ranks, order.holds).run().makespan_s
        if min(live_s, planned_s) < bound:
            raise BeatsTheBound(f"{instance}: {planned_s} s, but at least {bound} s")
        above[set_of(instance)].append(100.0 * (live_s / best - 1.0))
        planned[set_of(instance)].append(100.0 * (planned_s / best - 1.0))
        raw[instance] = {"live_s": live_s, "planned_s": planned_s, "best_known_s": best}
    for name, (must, aim) in SETS.items():
        rows.append(Row(f"{name}, live pass, above best known", fmean(above[name]), "%", must, aim))
    for name, (must, aim) in PLANNED.items():
        rows.append(Row(f"{name}, planned, above best known", fmean(planned[name]), "%", must, aim))


def type_limits(group: Group, *, capped: bool) -> dict[LimitKey, int]:
    """No limit on types, or CAP on every type with CAPPED_FROM tasks or more."""
    counts = Counter(task.task_type for task in group.tasks)
    return {
        limit_key(LimitKind.TASK_TYPE, name or ""): CAP
        if capped and count >= CAPPED_FROM
        else NO_CAP
        for name, count in counts.items()
    }


def measure_workflows(rows: list[Row], raw: dict[str, object]) -> None:
    """Makespan over the lower bound, and over its parts alone: chain, work under limits."""
    ratios: dict[str, list[float]] = defaultdict(list)
    for path in sorted(data_folder("wfinstances").glob("*.json*")):
        for slots in SLOTS:
            for capped in (False, True):
                name = f"{slots} at once{', types capped' if capped else ''}"
                group = read_wfformat(path, max_concurrency=slots)
                conditions = Conditions(group, type_limits(group, capped=capped))
                found = workflow_ratios(conditions, planned=slots == PLANNED_SLOTS)
                for what, ratio in found.items():
                    if ratio < 1.0 - 1e-9:
                        raise BeatsTheBound(f"{path.name} {name}: {ratio}")
                    ratios[f"{name}, {what}"].append(ratio)
                raw[f"{group.name} {name}"] = found
    for name, found_ratios in ratios.items():
        asked = (1.015, 1.003) if name == WORKFLOWS_ASKED else (None, None)
        rows.append(Row(f"WfInstances, {name}", fmean(found_ratios), "", *asked))


def workflow_ratios(conditions: Conditions, *, planned: bool) -> dict[str, float]:
    """By what is compared: makespan over bound."""
    group, capacity = conditions.group, conditions.capacities()
    seconds = {task.id: task.duration_s or 0.0 for task in group.tasks}
    parts_s = bounds(group, seconds, capacity)[0].seconds
    bound_s = lower_bound(group, seconds, capacity).seconds
    live_s = conditions.run().makespan_s
    found = {"live over bound": live_s / bound_s, "live over chain or work": live_s / parts_s}
    if planned:
        budget = Budget(seconds=SEARCH_S, now=time.process_time)
        order = better_order(conditions, draw=random.Random(1), budget=budget)
        planned_s = conditions.with_order(order.ranks, order.holds).run().makespan_s
        found["planned over bound"] = planned_s / bound_s
        found["planned over chain or work"] = planned_s / parts_s
    return found


def measure() -> Subject:
    rows: list[Row] = []
    raw: dict[str, object] = {}
    for part in (measure_psplib, measure_workflows):
        try:
            part(rows, raw)
        except Missing as missing:
            print(missing)
    if not rows:
        raise Missing("no real inputs found")
    return Subject(rows, raw)
