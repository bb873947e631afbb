"""Under what a group runs: its configuration, the site's limits, the workers; and changes to them.

Forecast, advice and what-if all go through `Conditions.run`, which is the Machine on a virtual
clock and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from executions.scheduling.messages import Event
from executions.scheduling.model import WORKERS, Group, LimitKey, LimitKind, limit_key
from executions.scheduling.needs import MAX_CONCURRENCY, capacities
from executions.scheduling.simulation import (
    Durations,
    Outcomes,
    SimulationResult,
    Steer,
    Submission,
    simulate_many,
)

SIMULATED: Final = "PEXEC-0"
VIRTUAL_WORKER: Final = "virtual"


AT_LEAST_ONE: Final = frozenset({MAX_CONCURRENCY, WORKERS})
"""With none of these nothing ever runs."""


class BadLimitPath(ValueError):  # noqa: N818 named for what is
    """Limits are set as max_concurrency, workers, team.NAME, task_type.NAME or resource.NAME."""


class BadLimitValue(ValueError):  # noqa: N818 named for what is
    """There must be at least 1 of it."""


def limit_at(path: str) -> LimitKey:
    """The limit that `--set PATH=N` means. Raises `BadLimitPath`."""
    if path in {MAX_CONCURRENCY, WORKERS}:
        return LimitKey(path)
    kind, _, name = path.replace(":", ".", 1).partition(".")
    if kind not in set(LimitKind) or not name:
        raise BadLimitPath(BadLimitPath.__doc__)
    return limit_key(LimitKind(kind), name)


def change_of(key: LimitKey, number: int) -> tuple[LimitKey, int]:
    """The limit and its new value. Raises `BadLimitValue`."""
    if key in AT_LEAST_ONE and number < 1:
        raise BadLimitValue(BadLimitValue.__doc__)
    return key, number


@dataclass(frozen=True, slots=True)
class Conditions:
    """A group on a site. `worker_slots` None: as many as can be used."""

    group: Group
    limits: Mapping[LimitKey, int]
    worker_slots: int | None = None

    def capacities(self) -> dict[LimitKey, int]:
        """What there is of everything the group's tasks need."""
        return capacities(self.group, self.limits, self.worker_slots)

    def with_limit(self, key: LimitKey, value: int) -> Conditions:
        """The same with exactly `value` of that limit, wherever it comes from.

        What a plan holds back was reckoned with the limits as they were, and is left out.
        """
        if key == WORKERS:
            return replace(self, group=replace(self.group, holds={}), worker_slots=value)
        if key == MAX_CONCURRENCY:
            return replace(self, group=replace(self.group, max_concurrency=value, holds={}))
        own = {k: v for k, v in self.group.limits.items() if k != key}
        group = replace(self.group, limits=own, holds={})
        return replace(self, group=group, limits={**self.limits, key: value})

    def with_limits(self, changes: Mapping[LimitKey, int]) -> Conditions:
        """The same with all those changes."""
        found = self
        for key, value in changes.items():
            found = found.with_limit(key, value)
        return found

    def with_order(
        self, ranks: Mapping[str, int], holds: Mapping[str, float] | None = None
    ) -> Conditions:
        """The same with that order within equal priority, and what it holds back."""
        return replace(self, group=replace(self.group, ranks=ranks, holds=holds or {}))

    def run(
        self,
        durations: Durations | None = None,
        outcomes: Outcomes | None = None,
        jitter: Callable[[], float] | None = None,
        *,
        steer: Steer | None = None,
        events: Iterable[tuple[float, Event]] = (),
        instant_s: float = 0.0,
    ) -> SimulationResult:
        """How it goes; see `simulate_many`.

        Raises `SimulationStalled` where something needed is closed.
        """
        submission = Submission(SIMULATED, self.group, 0.0, durations, outcomes)
        workers = None if self.worker_slots is None else {VIRTUAL_WORKER: self.worker_slots}
        found = simulate_many(
            [submission],
            limits=self.limits,
            workers=workers,
            events=events,
            jitter=jitter,
            steer=steer,
            instant_s=instant_s,
        )
        return found[SIMULATED]
