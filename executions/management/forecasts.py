"""Forecasts as the command line tells them: JSON data, and words for people."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

from executions.models.snapshots import site_limits
from executions.scheduling.bounds import lower_bound
from executions.scheduling.conditions import Conditions
from executions.scheduling.estimates import estimates, with_estimates
from executions.scheduling.model import LimitKey
from executions.scheduling.needs import unneeded
from executions.scheduling.planning import schedule_json
from executions.scheduling.search import planned_order
from executions.scheduling.whatif import error_words
from executions.specs import TaskGroupSpec, group_of, limits_with

ROWS_SHOWN = 20


def simulated(spec: TaskGroupSpec, changes: Mapping[LimitKey, int]) -> dict[str, Any]:
    """The schedule of a virtual run, in seconds from 0. Raises SimulationStalled."""
    group = group_of(spec)
    durations = estimates(group)
    conditions = Conditions(with_estimates(group, durations), limits_with(spec, site_limits()))
    conditions = conditions.with_limits(changes)
    if order := planned_order(conditions, now=time.monotonic):
        conditions = conditions.with_order(order.ranks, order.holds)
    result = conditions.run()
    seconds = {id_: found.seconds for id_, found in durations.items()}
    bound = lower_bound(conditions.group, seconds, conditions.capacities())
    return {
        "makespan_s": result.makespan_s,
        "lower_bound_s": bound.seconds,
        "schedule": schedule_json(result.schedule),
        "unneeded": list(unneeded(group, changes)),
    }


def simulation_words(forecast: Mapping[str, Any]) -> str:
    """The same as lines, by start."""
    rows = [row for row in forecast["schedule"] if row["started_at"] is not None]
    rows.sort(key=lambda row: (row["started_at"], row["finished_at"]))
    width = max((len(row["id"]) for row in rows), default=4)
    lines = [
        f"{row['id']:<{width}}  {row['started_at']:>10.1f}  {row['finished_at']:>10.1f}"
        f"  {row['status']}"
        for row in rows
    ]
    headline = (
        f"makespan {forecast['makespan_s']:.1f} s, no schedule can beat "
        f"{forecast['lower_bound_s']:.1f} s"
    )
    header = f"{'task':<{width}}  {'start s':>10}  {'end s':>10}  status"
    return "\n".join((headline, header, *lines))


def plan_words(plan: Mapping[str, Any]) -> str:
    """A plan as lines."""
    return "\n".join(_plan_lines(plan))


def _plan_lines(plan: Mapping[str, Any]) -> Iterator[str]:
    makespan = plan["forecast"]["makespan_s"]
    told = "cannot end: something it needs is closed" if makespan is None else f"{makespan:.1f} s"
    yield f"forecast {told}, no schedule can beat {plan['lower_bound_s']:.1f} s"
    yield f"{plan['speedup_factor']} times as fast as one after another"
    yield f"binding: {plan['binding']['limit']}"
    yield f"critical path: {' → '.join(_some(plan['critical_path']))}"
    yield f"durations from: {', '.join(f'{k} {n}' for k, n in plan['duration_sources'].items())}"
    for number, group in enumerate(plan["groups"][:ROWS_SHOWN], 1):
        yield (
            f"group {number}: {', '.join(_some(group['tasks']))} "
            f"(speed-up {group['estimated_speedup']})"
        )
    if len(plan["groups"]) > ROWS_SHOWN:
        yield f"and {len(plan['groups']) - ROWS_SHOWN} more groups"
    for finding in plan["lint"]:
        yield f"note: {finding['message']}"
    for advice in plan["advice"]:
        yield f"advice: {advice['text']}"


def _some(names: list[str]) -> list[str]:
    more = len(names) - ROWS_SHOWN
    return [*names[:ROWS_SHOWN], f"and {more} more"] if more > 0 else names


def what_if_words(found: Mapping[str, Any]) -> str:
    """The answer to a what-if as lines."""
    real = ""
    if found["real_s"] is not None:
        off = error_words(found["error"])
        real = f" (really {found['real_s']:.1f} s; the replay is {off})"
    lines = [f"{change['limit']}: {change['from']} → {change['to']}" for change in found["changes"]]
    lines.append(
        f"{found['replayed_s']:.1f} s{real} would become {found['makespan_s']:.1f} s: "
        f"{found['saves_s']:.1f} s saved"
    )
    return "\n".join(lines)
