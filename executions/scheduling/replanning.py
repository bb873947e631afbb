"""Looks for a better order in mid-run, when tasks take other times than were estimated.

Watches one run through its transitions, says when a new search is due, and searches the rest of
the run from where it stands. What is found counts only if the Machine itself, carried on from
there, confirms that it is faster than going on and than the plain rule. Knows no clock.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Final

from executions.scheduling.conditions import Conditions
from executions.scheduling.graph import estimated_s
from executions.scheduling.machine import Machine
from executions.scheduling.messages import Decision, RanksChanged, Transition
from executions.scheduling.model import (
    FINAL_TASK_STATES,
    WORKERS,
    ExecutionProgress,
    ExecutionState,
    Group,
    LimitKey,
    LiveAttempt,
    Task,
    TaskState,
)
from executions.scheduling.needs import needs_by_task
from executions.scheduling.search import LEAST_GAIN, Budget, orders_found
from executions.scheduling.simulation import SimulationStalled, simulate_from

DRIFT: Final = 0.2
"""Search again when what was done took so much more or less, task by task, than was expected."""
LEAST_DONE: Final = 4
"""Fewer tasks say nothing."""
AGAIN_SHARE: Final = 0.05
"""Of the time that the run was expected to take: so long at least between two searches."""
AGAIN_S: Final = 1.0
SEARCHES_AT_MOST: Final = 20
OVERDUE: Final = 1.1
"""A task that runs longer than expected is taken to need a tenth more than it has run."""
LIVE_TASK_STATES: Final = frozenset({TaskState.DISPATCHED, TaskState.RUNNING})
RUNNING_PRIORITY: Final = 1 << 20
"""Before all others: what runs has its room already."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a run stands, and all that a search needs to know of it."""

    execution: str
    group: Group
    progress: ExecutionProgress
    actual_s: Mapping[str, float]
    limits: Mapping[LimitKey, int]
    worker_slots: int
    now: float
    expected_s: float
    """How long the whole run was to take."""


class RunWatch:
    """One run as its transitions tell of it: how far it is off its estimates."""

    def __init__(
        self, execution: str, group: Group, now: float, expected_s: float, *, ended: int = 0
    ) -> None:
        """`expected_s`: how long the run is to take; `ended`: tasks that are over already."""
        self.execution = execution
        self.group = group
        self._tasks = {task.id: task for task in group.tasks}
        self._expected = {task.id: estimated_s(task) for task in group.tasks}
        self._expected_in_all_s = expected_s
        self._pause_s = max(AGAIN_S, AGAIN_SHARE * expected_s)
        self._next_at = now + self._pause_s
        self._searches = 0
        self._left = len(group.tasks) - ended
        self._actual_s: dict[str, float] = {}
        self._began_at: dict[str, float] = {}
        """Of what runs; what ran already when the watch began is not known."""
        self._seen = _Drift()
        self._is_disturbed = False

    def note(self, transition: Transition) -> None:
        """Take in what became of a task run."""
        finish, id_ = transition.finish, transition.task
        if finish in LIVE_TASK_STATES:
            self._began_at[id_] = transition.at
        else:
            self._began_at.pop(id_, None)
        if finish in FINAL_TASK_STATES:
            self._left -= 1
        if finish is TaskState.COMPLETED and transition.started_at is not None:
            assert transition.finished_at is not None
            seconds = max(0.0, transition.finished_at - transition.started_at)
            self._actual_s[id_] = seconds
            self._seen.add(seconds, self._expected[id_])
        elif transition.reason is not None:
            self._is_disturbed = True

    def disturb(self) -> None:
        """The limits are others now: what was planned was planned for those before."""
        self._is_disturbed = True

    def is_due(self, now: float) -> bool:
        """Whether it is time to search again."""
        if now < self._next_at or self._left < 2 or self._searches >= SEARCHES_AT_MOST:  # noqa: PLR2004 one task has no order
            return False
        return self._is_disturbed or self._is_off(now)

    def _is_off(self, now: float) -> bool:
        """By what is done, and by what runs longer than expected and is not done."""
        found = replace(self._seen)
        for id_, began_at in self._began_at.items():
            if now - began_at > self._expected[id_]:
                found.add(now - began_at, self._expected[id_])
        return found.count >= LEAST_DONE and found.off_s > DRIFT * found.expected_s

    def standing(
        self, machine: Machine, limits: Mapping[LimitKey, int], slots: int, now: float
    ) -> Standing:
        """What a search is to start from. What was seen so far counts as known from now on."""
        self._searches += 1
        self._next_at = now + self._pause_s
        self._is_disturbed = False
        self._seen = _Drift()
        group = replace(self.group, holds=machine.holds(self.execution))
        progress = machine.progress(self.execution)
        self._expected = seconds_known(group, progress, self._actual_s, now)
        left = left_by_others(group, progress, {**limits, WORKERS: slots}, machine.usage())
        return Standing(
            self.execution,
            group,
            progress,
            dict(self._actual_s),
            left,
            left.pop(WORKERS),
            now,
            self._expected_in_all_s,
        )


@dataclass(slots=True)
class _Drift:
    """How far tasks were off what was expected of them, in all."""

    count: int = 0
    off_s: float = 0.0
    expected_s: float = 0.0

    def add(self, actual_s: float, expected_s: float) -> None:
        self.count += 1
        self.off_s += abs(actual_s - expected_s)
        self.expected_s += expected_s


def left_by_others(
    group: Group,
    progress: ExecutionProgress,
    limits: Mapping[LimitKey, int],
    usage: Mapping[LimitKey, tuple[int, int]],
) -> dict[LimitKey, int]:
    """The limits less what other executions hold of them now, taken to be held on.

    What the widest of the group's tasks needs is always left: it will have its turn.
    """
    own: defaultdict[LimitKey, int] = defaultdict(int)
    widest: defaultdict[LimitKey, int] = defaultdict(int)
    needs = needs_by_task(group)
    for task in group.tasks:
        for need in needs[task.id]:
            units = need.units(limits.get(need.key, 0))
            widest[need.key] = max(widest[need.key], units)
            if progress.tasks[task.id].live is not None:
                own[need.key] += units
    found = {}
    for key, most in limits.items():
        others = usage.get(key, (0, 0))[0] - own[key]
        found[key] = min(most, max(most - others, widest[key]))
    return found


def expected_s(group: Group, actual_s: Mapping[str, float]) -> dict[str, float]:
    """Seconds of every task: as they were, or its estimate at the pace of those like it.

    Like it are those of its team and type, when enough of them are done; else all.
    """
    by_kind: defaultdict[object, list[tuple[float, float]]] = defaultdict(list)
    for task in group.tasks:
        if task.id in actual_s:
            pair = actual_s[task.id], estimated_s(task)
            by_kind[task.team, task.task_type].append(pair)
            by_kind[None].append(pair)
    overall = _pace(by_kind[None])
    paces = {kind: _pace(pairs) for kind, pairs in by_kind.items() if len(pairs) >= LEAST_DONE}
    found = {}
    for task in group.tasks:
        pace = paces.get((task.team, task.task_type), overall)
        found[task.id] = actual_s.get(task.id, estimated_s(task) * pace)
    return found


def _pace(pairs: Sequence[tuple[float, float]]) -> float:
    expected = sum(estimate for _, estimate in pairs)
    return sum(actual for actual, _ in pairs) / expected if expected else 1.0


def better_rest(standing: Standing, *, draw: Random, budget: Budget) -> RanksChanged | None:
    """An order for the rest of the run that beats going on as it goes, or None."""
    progress = standing.progress
    if progress.state is not ExecutionState.RUNNING:
        return None
    seconds = seconds_known(standing.group, progress, standing.actual_s, standing.now)
    try:
        going_on_s = _end(standing, standing.group, seconds)
    except SimulationStalled:
        return None
    least_gain_s = LEAST_GAIN * (going_on_s - standing.now)
    best_s, best = going_on_s, None
    for ranks in _orders(standing, seconds, draw, budget):
        end_s = _end(standing, replace(standing.group, ranks=ranks, holds={}), seconds)
        if end_s < best_s - least_gain_s:
            best_s, best = end_s, ranks
    return None if best is None else RanksChanged(standing.execution, best)


def _end(standing: Standing, group: Group, seconds: Mapping[str, float]) -> float:
    """When the run ends in that order, by the Machine."""
    return simulate_from(
        group,
        standing.progress,
        limits=standing.limits,
        now=standing.now,
        durations=seconds,
        workers=workers_of(standing.progress, standing.worker_slots),
    ).finished_at


def _orders(
    standing: Standing, seconds: Mapping[str, float], draw: Random, budget: Budget
) -> Iterator[Mapping[str, int]]:
    """The plain rule, then what a search over the rest finds."""
    yield {}
    rest = _rest(standing, seconds)
    if len(rest.tasks) < 2:  # noqa: PLR2004 one task has no order
        return
    conditions = Conditions(rest, standing.limits, standing.worker_slots)
    yield from orders_found(conditions, draw=draw, budget=budget)


def seconds_known(
    group: Group, progress: ExecutionProgress, actual_s: Mapping[str, float], now: float
) -> dict[str, float]:
    """Seconds of every task by what is known now; of what runs, in all."""
    found = expected_s(group, actual_s)
    for id_, task in progress.tasks.items():
        if task.live is not None and (run_s := now - _began_at(task.live)) > found[id_]:
            found[id_] = run_s * OVERDUE
    return found


def _began_at(live: LiveAttempt) -> float:
    return live.dispatched_at if live.started_at is None else live.started_at


def _rest(standing: Standing, seconds: Mapping[str, float]) -> Group:
    """What is left as a group of its own: what runs goes first, with the seconds it has left."""
    progress = standing.progress.tasks
    left = {
        task.id for task in standing.group.tasks if progress[task.id].state not in FINAL_TASK_STATES
    }
    tasks = [
        _rest_of(task, standing, seconds[task.id], left)
        for task in standing.group.tasks
        if task.id in left
    ]
    return replace(standing.group, tasks=tuple(tasks), ranks={}, holds={})


def _rest_of(task: Task, standing: Standing, seconds: float, left: set[str]) -> Task:
    live = standing.progress.tasks[task.id].live
    needed = tuple(id_ for id_ in task.depends_on if id_ in left)
    if live is None:
        return replace(task, depends_on=needed, duration_s=seconds)
    left_s = max(0.0, seconds - (standing.now - _began_at(live)))
    return replace(task, depends_on=(), duration_s=left_s, priority=RUNNING_PRIORITY)


def workers_of(progress: ExecutionProgress, slots: int) -> dict[str, int]:
    """The slots, on the workers that hold what runs; the rest on an imagined one."""
    held: dict[str, int] = defaultdict(int)
    for task in progress.tasks.values():
        if task.live is not None and task.live.worker:
            held[task.live.worker] += 1
    return {**held, "virtual": max(0, slots - sum(held.values()))}


class Replanning:
    """Searches again within a simulated run, as the dispatcher does within a real one.

    Give `steer` to `simulate_many`.
    """

    def __init__(
        self,
        watch: RunWatch,
        limits: Mapping[LimitKey, int],
        slots: int,
        *,
        schedules: int,
        latency_s: float = 1.0,
    ) -> None:
        """`schedules` may be tried in each search, which takes `latency_s` of the run's time."""
        self._watch = watch
        self._limits = limits
        self._slots = slots
        self._schedules = schedules
        self._latency_s = latency_s
        self.changes: list[RanksChanged] = []

    def steer(
        self, machine: Machine, decision: Decision, now: float
    ) -> Iterator[tuple[float, RanksChanged]]:
        """What the run is to be told, and when."""
        for transition in decision.transitions:
            self._watch.note(transition)
        if not self._watch.is_due(now):
            return
        standing = self._watch.standing(machine, self._limits, self._slots, now)
        draw = Random(len(self.changes))  # noqa: S311 nothing secret
        found = better_rest(standing, draw=draw, budget=Budget(self._schedules))
        if found is not None:
            self.changes.append(found)
            yield now + self._latency_s, found
