"""The plan of a group before it runs: groups, forecast, bounds, what binds, what to change.

The forecast is a run of the same Machine; nothing here decides what starts when.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from executions.scheduling import graph
from executions.scheduling.advice import Advice, advise, waited_for
from executions.scheduling.bounds import CHAIN, Bound, lower_bound
from executions.scheduling.conditions import Conditions
from executions.scheduling.estimates import Estimate, estimates, sources, with_estimates
from executions.scheduling.figures import binding_limits
from executions.scheduling.lint import Lint, lint_limits, lint_lone_tasks
from executions.scheduling.model import Group, LimitKey
from executions.scheduling.needs import limit_name
from executions.scheduling.parallel import ParallelGroup, parallel_groups
from executions.scheduling.search import BetterOrder
from executions.scheduling.simulation import Scheduled, SimulationResult, SimulationStalled

TASKS_REPLAYED: Final = 10_000
"""Advice replays the run only as often as keeps the tasks replayed below this."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is known of a group before it runs.

    `forecast` is None where something needed is closed: then no end can be told. `ranks` and
    `holds` are the order the forecast was made with. `unneeded`: limits that were set for it,
    though no task needs them.
    """

    groups: tuple[ParallelGroup, ...]
    forecast: SimulationResult | None
    bound: Bound
    critical_path: tuple[str, ...]
    advice: tuple[Advice, ...]
    lint: tuple[Lint, ...]
    estimates: Mapping[str, Estimate]
    ranks: Mapping[str, int]
    holds: Mapping[str, float]
    dependencies: Mapping[str, tuple[str, ...]]
    unneeded: tuple[LimitKey, ...] = ()

    @property
    def makespan_s(self) -> float | None:
        """How long the run is expected to take."""
        return None if self.forecast is None else self.forecast.makespan_s

    @property
    def speedup_factor(self) -> float:
        """All work one after another over the forecast."""
        total = sum(found.seconds for found in self.estimates.values())
        return round(total / self.makespan_s, 2) if self.makespan_s else 0.0

    def binding(self) -> dict[str, object]:
        """What the forecast waits for most; where it waits for nothing, what bounds it."""
        if self.forecast is not None:
            found = binding_limits(
                self.forecast.alone, self.forecast.waited, self.forecast.makespan_s
            )
            if found:
                return found[0].as_json()
        limit = CHAIN if self.bound.limit == CHAIN else limit_name(self.bound.limit)
        return {"limit": limit, "share": 0.0, "waited_s": 0.0}

    def as_json(self) -> dict[str, object]:
        """What `pexec plan --json` and REST give."""
        forecast = self.forecast
        return {
            "groups": [part.as_json() for part in self.groups],
            "dependencies": {id_: list(needed) for id_, needed in self.dependencies.items()},
            "forecast": {
                "makespan_s": self.makespan_s,
                "schedule": [] if forecast is None else schedule_json(forecast.schedule),
            },
            "lower_bound_s": self.bound.seconds,
            "lower_bound_by": self.bound.limit,
            "critical_path": list(self.critical_path),
            "binding": self.binding(),
            "advice": [advice.as_json() for advice in self.advice],
            "lint": [lint.as_json() for lint in self.lint],
            "duration_sources": sources(self.estimates),
            "durations": {
                id_: {"duration_s": found.seconds, "source": found.source.value}
                for id_, found in self.estimates.items()
            },
            "ranks": dict(self.ranks),
            "holds": dict(self.holds),
            "speedup_factor": self.speedup_factor,
            "unneeded": list(self.unneeded),
        }


def schedule_json(schedule: tuple[Scheduled, ...]) -> list[dict[str, object]]:
    """Rows as `pexec simulate --json` prints them, seconds from 0."""
    return [
        {
            "id": row.id,
            "started_at": row.started_at,
            "finished_at": row.finished_at,
            "status": row.status.value,
        }
        for row in schedule
    ]


def plan(
    group: Group,
    *,
    limits: Mapping[LimitKey, int],
    history_s: Mapping[str, float] | None = None,
    worker_slots: int | None = None,
    order: BetterOrder | None = None,
) -> Plan:
    """Plan a group alone on a site with these limits. Raises `graph.CycleFound`.

    `history_s`: median seconds of each task's past completed runs, by id. `order`: see
    `search.better_order`.
    """
    found = estimates(group, history_s)
    seconds = {id_: value.seconds for id_, value in found.items()}
    conditions = Conditions(with_estimates(group, found), limits, worker_slots)
    if order is not None:
        conditions = conditions.with_order(order.ranks, order.holds)
    group = conditions.group
    built = graph.build(group.tasks)
    capacity = conditions.capacities()
    path = graph.critical_path(built, group.tasks)
    forecast = _forecast(conditions)
    lint = lint_limits(conditions)
    if forecast is not None:
        lint += lint_lone_tasks(forecast.schedule, path)
    return Plan(
        groups=parallel_groups(group, built, seconds, capacity),
        forecast=forecast,
        bound=lower_bound(group, seconds, capacity),
        critical_path=tuple(path),
        advice=() if forecast is None else tuple(_advice(conditions, forecast)),
        lint=tuple(lint),
        estimates=found,
        ranks=dict(group.ranks),
        holds=dict(group.holds),
        dependencies=built.dependencies,
    )


def _forecast(conditions: Conditions) -> SimulationResult | None:
    try:
        return conditions.run()
    except SimulationStalled:
        return None


def _best_of_both(conditions: Conditions) -> float:
    """By the plan's order, or by the plain rule: the plan was made for other limits."""
    plain_s = conditions.with_order({}).run().makespan_s
    if not conditions.group.ranks:
        return plain_s
    return min(plain_s, conditions.run().makespan_s)


def _advice(conditions: Conditions, forecast: SimulationResult) -> list[Advice]:
    most = TASKS_REPLAYED // max(1, len(conditions.group.tasks))
    return advise(
        conditions,
        waited_for(forecast),
        forecast.makespan_s,
        _best_of_both,
        most=min(4, most),
    )
