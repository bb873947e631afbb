"""The numbers of a report, out of the attempt log: definitions as in "Timing and resource figures".

Times in are float seconds (epoch or virtual), figures out are in the report's units.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from executions.scheduling.bounds import CHAIN, lower_bound
from executions.scheduling.model import AttemptState, Group, Hold, LimitKey, Reason
from executions.scheduling.needs import (
    MAX_CONCURRENCY,
    Need,
    capacities,
    limit_name,
    needs_by_task,
)

HOLDS = frozenset(Hold)


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """One attempt as it was: it held its slot from `dispatched_at` to `released_at`.

    None: has not happened (yet).
    """

    task: str
    number: int
    dispatched_at: float
    started_at: float | None
    finished_at: float | None
    released_at: float | None
    state: AttemptState
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class BindingLimit:
    """`share` of the run during which a queued task waited for it alone; task-seconds waited."""

    limit: str
    share: float
    waited_s: float

    def as_json(self) -> dict[str, object]:
        """As it stands in the report."""
        return {"limit": self.limit, "share": self.share, "waited_s": self.waited_s}


@dataclass(frozen=True, slots=True)
class Figures:
    """What every report prints. `lower_bound_by` names what the lower bound comes from."""

    total_duration_ms: int
    sequential_estimate_ms: int
    speedup_factor: float
    lower_bound_ms: int
    lower_bound_by: str
    efficiency: float
    peak_concurrency: int
    avg_concurrency: float
    binding_limits: tuple[BindingLimit, ...] = ()

    def timing(self) -> dict[str, object]:
        """The computed part of the report's `timing`."""
        return {
            "total_duration_ms": self.total_duration_ms,
            "sequential_estimate_ms": self.sequential_estimate_ms,
            "speedup_factor": self.speedup_factor,
            "lower_bound_ms": self.lower_bound_ms,
            "lower_bound_by": self.lower_bound_by,
            "efficiency": self.efficiency,
        }

    def resources(self) -> dict[str, object]:
        """The report's `resources`."""
        return {
            "peak_concurrency": self.peak_concurrency,
            "avg_concurrency": self.avg_concurrency,
            "binding_limits": [limit.as_json() for limit in self.binding_limits],
        }


@dataclass(frozen=True, slots=True)
class Usage:
    """One limit over time: `used` holds from its time to the next one's."""

    limit: LimitKey
    capacity: int
    steps: tuple[tuple[float, int], ...] = field(default_factory=tuple)

    @property
    def peak(self) -> int:
        """The most that was used at one instant."""
        return max((used for _, used in self.steps), default=0)


def run_s(attempt: AttemptRecord, end: float) -> float:
    """Started to finished on the worker; up to `end` for one that still runs."""
    if attempt.started_at is None:
        return 0.0
    return max(
        0.0, (end if attempt.finished_at is None else attempt.finished_at) - attempt.started_at
    )


def held_s(attempt: AttemptRecord, end: float) -> float:
    """Slot taken to slot released; up to `end` for one that is still held."""
    released_at = end if attempt.released_at is None else attempt.released_at
    return max(0.0, released_at - attempt.dispatched_at)


def last_attempts(attempts: Iterable[AttemptRecord]) -> dict[str, AttemptRecord]:
    """The last attempt of each task that has one."""
    found: dict[str, AttemptRecord] = {}
    for attempt in attempts:
        known = found.get(attempt.task)
        if known is None or attempt.number > known.number:
            found[attempt.task] = attempt
    return found


def figures(
    group: Group,
    attempts: Sequence[AttemptRecord],
    *,
    started_at: float,
    completed_at: float,
    limits: Mapping[LimitKey, int],
    alone: Mapping[str, float],
    waited: Mapping[str, float],
) -> Figures:
    """All figures of a run; of one that still runs, with `completed_at` as of now.

    `limits` are the site's; `alone` and `waited` in seconds by LimitKey or Hold. The bound counts
    every attempt. Where more was in use than a limit allows today, the limit was another then, and
    what was in use counts as the capacity.
    """
    total_s = max(0.0, completed_at - started_at)
    sequential_s = math.fsum(run_s(last, completed_at) for last in last_attempts(attempts).values())
    usage = usage_steps(group, attempts, limits=limits, end=completed_at)
    peak = usage[MAX_CONCURRENCY].peak
    held = math.fsum(held_s(attempt, completed_at) for attempt in attempts)
    spent: dict[str, float] = {}
    for attempt in attempts:
        spent[attempt.task] = spent.get(attempt.task, 0.0) + run_s(attempt, completed_at)
    capacity = {key: max(used.capacity, used.peak) for key, used in usage.items()}
    bound = lower_bound(group, spent, capacity)
    return Figures(
        total_duration_ms=_ms(total_s),
        sequential_estimate_ms=_ms(sequential_s),
        speedup_factor=_ratio(sequential_s, total_s, 2),
        lower_bound_ms=_ms(bound.seconds),
        lower_bound_by=CHAIN if bound.limit == CHAIN else limit_name(bound.limit),
        efficiency=_ratio(bound.seconds, total_s, 3),
        peak_concurrency=peak,
        avg_concurrency=_ratio(held, total_s, 1),
        binding_limits=binding_limits(alone, waited, total_s),
    )


def binding_limits(
    alone: Mapping[str, float], waited: Mapping[str, float], total_s: float
) -> tuple[BindingLimit, ...]:
    """Every limit that was waited for, the one that bound longest first."""
    found = [
        BindingLimit(
            limit_name(key),
            _ratio(alone.get(key, 0.0), total_s, 3),
            round(waited.get(key, 0.0), 3),
        )
        for key in {**alone, **waited}
        if key not in HOLDS
    ]
    return tuple(sorted(found, key=lambda b: (-b.share, -b.waited_s, b.limit)))


def usage_steps(
    group: Group,
    attempts: Iterable[AttemptRecord],
    *,
    limits: Mapping[LimitKey, int],
    end: float,
) -> dict[LimitKey, Usage]:
    """How much of each limit the run held over time, for each limit its tasks need.

    What is released and what is taken at one instant never counts as held together.
    """
    needs: Mapping[str, tuple[Need, ...]] = needs_by_task(group)
    capacity = capacities(group, limits)
    deltas: dict[LimitKey, dict[float, int]] = {key: {} for key in capacity}
    for attempt in attempts:
        released_at = end if attempt.released_at is None else attempt.released_at
        if released_at <= attempt.dispatched_at:
            continue
        for need in needs.get(attempt.task, ()):
            if need.key in capacity:
                units = need.units(capacity[need.key])
                at = deltas[need.key]
                at[attempt.dispatched_at] = at.get(attempt.dispatched_at, 0) + units
                at[released_at] = at.get(released_at, 0) - units
    return {key: Usage(key, capacity[key], _steps(at)) for key, at in deltas.items()}


def _steps(deltas: Mapping[float, int]) -> tuple[tuple[float, int], ...]:
    used = 0
    found = []
    for at in sorted(deltas):
        if deltas[at]:
            used += deltas[at]
            found.append((at, used))
    return tuple(found)


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _ratio(part: float, whole: float, decimals: int) -> float:
    return round(part / whole, decimals) if whole > 0 else 0.0
