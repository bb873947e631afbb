"""A run replayed: what it would have taken under other limits, decided by the same Machine.

Each attempt holds its slot as long as it did in reality and ends as it did. What never ran in
reality takes its estimate. Times are float seconds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from executions.scheduling.advice import Advice, advise, waited_for
from executions.scheduling.conditions import SIMULATED, Conditions
from executions.scheduling.estimates import estimates, with_estimates
from executions.scheduling.figures import AttemptRecord, binding_limits, held_s, run_s
from executions.scheduling.messages import RanksChanged
from executions.scheduling.model import (
    AttemptState,
    ExecutionProgress,
    Group,
    LimitKey,
    Reason,
    Strategy,
    Task,
)
from executions.scheduling.needs import unneeded, waits_by_name
from executions.scheduling.planning import schedule_json
from executions.scheduling.policy import backoff_s
from executions.scheduling.replanning import seconds_known, workers_of
from executions.scheduling.search import BetterOrder
from executions.scheduling.simulation import SimulationResult, simulate_from

Orders = Sequence[tuple[float, Mapping[str, int]]]
"""(seconds into the run, ranks): the orders a run was given on its way."""

INSTANT_S: Final = 1e-5
"""Times are kept to the microsecond: what one decision was told seems that far apart at most."""


@dataclass(frozen=True, slots=True)
class Try:
    """One attempt as it is replayed."""

    seconds: float
    reason: Reason | None


@dataclass(frozen=True, slots=True)
class Replay:
    """What really happened, in a form that can happen again. Call `run` as often as wanted."""

    conditions: Conditions
    tries: Mapping[str, Sequence[Try]]
    backoffs: Sequence[float]
    orders: Orders = ()

    def run(self, conditions: Conditions | None = None) -> SimulationResult:
        """The run again, or what it would have been under other conditions."""
        spread = iter(self.backoffs)
        orders = self.orders if conditions is None else ()
        return (conditions or self.conditions).run(
            self._duration_s,
            self._outcome,
            lambda: next(spread, 0.5),
            events=[(at_s, RanksChanged(SIMULATED, ranks)) for at_s, ranks in orders],
            instant_s=INSTANT_S,
        )

    def _duration_s(self, task: Task, attempt: int) -> float:
        tries = self.tries.get(task.id, ())
        if attempt <= len(tries):
            return tries[attempt - 1].seconds
        return tries[-1].seconds if tries else task.duration_s or 0.0

    def _outcome(self, task: Task, attempt: int) -> Reason | None:
        tries = self.tries.get(task.id, ())
        return tries[attempt - 1].reason if attempt <= len(tries) else None


def error_words(error: float | None) -> str:
    """How far a replay is off the run it replays, for people; empty where nothing can be said."""
    return "" if error is None else f"{round(error * 100, 1) + 0.0:+.1f} % off the real run"


@dataclass(frozen=True, slots=True)
class WhatIf:
    """The answer: the real run, its replay, and the replay under the changes.

    `real_s` is None for a run that did not come to its own end: there is nothing to hold the
    replay against. `unneeded`: changed limits that no task needs.
    """

    real_s: float | None
    replayed_s: float
    changed: SimulationResult
    changes: Mapping[LimitKey, tuple[int, int]]
    advice: tuple[Advice, ...]
    unneeded: tuple[LimitKey, ...]

    @property
    def makespan_s(self) -> float:
        """How long the run takes under the changes."""
        return self.changed.makespan_s

    @property
    def saves_s(self) -> float:
        """What the changes save, replay against replay."""
        return self.replayed_s - self.changed.makespan_s

    @property
    def error(self) -> float | None:
        """How far the replay at unchanged limits is off the real run: 0.01 is 1 %."""
        if not self.real_s:
            return None
        return self.replayed_s / self.real_s - 1.0

    def as_json(self) -> dict[str, object]:
        """As REST and `pexec what-if` give it."""
        changed = self.changed
        limits = binding_limits(changed.alone, changed.waited, changed.makespan_s)
        return {
            "real_s": self.real_s,
            "replayed_s": self.replayed_s,
            "error": self.error,
            "makespan_s": self.makespan_s,
            "saves_s": self.saves_s,
            "changes": [
                {"limit": key, "from": now, "to": then} for key, (now, then) in self.changes.items()
            ],
            "binding_limits": [limit.as_json() for limit in limits],
            "waits": {row.id: waits_by_name(row.waits) for row in changed.schedule if row.waits},
            "advice": [advice.as_json() for advice in self.advice],
            "schedule": schedule_json(changed.schedule),
            "unneeded": list(self.unneeded),
        }


def what_if(
    group: Group,
    attempts: Iterable[AttemptRecord],
    *,
    limits: Mapping[LimitKey, int],
    changes: Mapping[LimitKey, int],
    now: float,
    worker_slots: int | None = None,
    real_s: float | None = None,
    order: Callable[[Conditions], BetterOrder | None] | None = None,
    orders: Orders = (),
) -> WhatIf:
    """Replay a finished or running execution under changed limits.

    `limits`: the site's, as they were. `now`: until when attempts that still run have run.
    `real_s`: how long the run took, None if it was cancelled, timed out or still runs. `order`:
    how a run under the changed limits would be planned, None: not anew. `orders`: what the real
    run was given on its way. Raises `SimulationStalled` where a change closes what is needed.
    """
    replay = replay_of(Conditions(group, limits, worker_slots), list(attempts), now)
    replay = replace(replay, orders=orders)
    changed = replay.conditions.with_limits(changes)
    if changes and order is not None and (found := order(changed)) is not None:
        changed = changed.with_order(found.ranks, found.holds)
    before, after = replay.conditions.capacities(), changed.capacities()
    result = replay.run(changed if changes else None)
    return WhatIf(
        real_s=real_s,
        replayed_s=replay.run().makespan_s,
        changed=result,
        changes={
            key: (before.get(key, limits.get(key, 0)), after.get(key, value))
            for key, value in changes.items()
        },
        advice=tuple(
            advise(
                changed,
                waited_for(result),
                result.makespan_s,
                lambda conditions: replay.run(conditions).makespan_s,
            )
        ),
        unneeded=unneeded(group, changes),
    )


def replay_of(conditions: Conditions, attempts: Sequence[AttemptRecord], now: float) -> Replay:
    """Prepare a run for being replayed. What was handed back did not happen."""
    by_task: dict[str, list[AttemptRecord]] = defaultdict(list)
    for attempt in sorted(attempts, key=lambda a: a.number):
        if attempt.state is not AttemptState.RETURNED:
            by_task[attempt.task].append(attempt)
    group = conditions.group
    actual = {
        id_: run_s(tries[-1], now)
        for id_, tries in by_task.items()
        if tries[-1].state is AttemptState.COMPLETED
    }
    learned = estimates(group, actual)
    tries = {
        task.id: _tries(group, task, by_task[task.id], learned[task.id].seconds, now)
        for task in group.tasks
        if task.id in by_task
    }
    group = with_estimates(group, learned)
    return Replay(replace(conditions, group=group), tries, _backoffs(by_task, now))


def _tries(
    group: Group, task: Task, attempts: Sequence[AttemptRecord], estimate_s: float, now: float
) -> list[Try]:
    found = []
    failures = 0
    most = group.max_retries if task.max_retries is None else task.max_retries
    for place, attempt in enumerate(attempts):
        seconds = held_s(attempt, now)
        if attempt.state is not AttemptState.FAILED:
            if attempt.state is not AttemptState.COMPLETED:
                seconds = max(seconds, estimate_s)
            found.append(Try(seconds, None))
            continue
        reason = attempt.reason or Reason.ERROR
        failures += reason is not Reason.WORKER_LOST
        is_last = place == len(attempts) - 1
        if is_last and group.strategy is Strategy.RETRY_FAILED and failures <= most:
            reason = Reason.REJECTED  # it was not tried again, so it is not in the replay
        found.append(Try(seconds, reason))
    return found


def _backoffs(by_task: Mapping[str, Sequence[AttemptRecord]], now: float) -> list[float]:
    """How far each backoff was spread, 0 to 1, in the order of the failures."""
    found = []
    for attempts in by_task.values():
        failures = 0
        for attempt, following in pairwise(attempts):
            if attempt.state is not AttemptState.FAILED or attempt.reason is Reason.WORKER_LOST:
                continue
            failures += 1
            ended = now if attempt.released_at is None else attempt.released_at
            waited = max(0.0, following.dispatched_at - ended)
            spread = waited / backoff_s(failures, 0.5) - 0.5
            found.append((ended, min(1.0, max(0.0, spread))))
    return [spread for _, spread in sorted(found)]


# ---------------------------------------------------------------- the end of a running execution


def expected_end(
    group: Group,
    progress: ExecutionProgress,
    actual_s: Mapping[str, float],
    *,
    limits: Mapping[LimitKey, int],
    now: float,
    worker_slots: int | None = None,
    guessed: Collection[str] = (),
) -> float:
    """When a running execution will end, in the time that `now` is in.

    `actual_s`: run times of the tasks completed so far; where these were faster or slower than
    estimated, so are the rest taken to be. `guessed`: tasks whose estimate is nobody's; how far it
    was off says nothing of the others. Raises `SimulationStalled` where something is closed.
    """
    durations = seconds_known(_told_or_done(group, guessed, actual_s), progress, actual_s, now)
    group = with_estimates(group, estimates(group, actual_s))
    workers = None if worker_slots is None else workers_of(progress, worker_slots)
    found = simulate_from(
        group, progress, limits=limits, now=now, durations=durations, workers=workers
    )
    return found.finished_at


def _told_or_done(group: Group, guessed: Collection[str], actual_s: Mapping[str, float]) -> Group:
    """The group with its guesses made anew from what its other tasks took, or are said to take."""
    tasks = [replace(t, duration_s=None) if t.id in guessed else t for t in group.tasks]
    told = replace(group, tasks=tuple(tasks))
    return with_estimates(told, estimates(told, actual_s))
