"""Looks for an order that beats the plain rule, and hands it on only if the Machine agrees.

A genetic search over orders: each schedule is pushed to the right and back to the left
(justified), good ones are crossed. Given the same draws and budget it finds the same. Knows no
clock: `now` is given, or the budget is a number of schedules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final

from executions.scheduling.bounds import lower_bound
from executions.scheduling.conditions import Conditions
from executions.scheduling.graph import build, estimated_s
from executions.scheduling.schedules import Problem, parallel, problem_of, serial
from executions.scheduling.simulation import SimulationStalled
from executions.scheduling.urgency import urgencies

TASKS_AT_MOST: Final = 2000
SCHEDULES: Final = 6000
BUDGET_S: Final = 1.0
SEARCH_SHARE: Final = 0.02
SEED: Final = 1
POPULATION: Final = 30
MUTATION: Final = 0.05
SPREAD_FIRST: Final = 0.05
SPREAD_MOST: Final = 0.5
CHECKED_AT_MOST: Final = 4
LEAST_GAIN: Final = 1e-6
"""Relative to the plain rule."""


@dataclass(frozen=True, slots=True)
class BetterOrder:
    """What the search found. Empty `ranks`: nothing better than the plain rule.

    `holds`: tasks that are to leave room for others until so many seconds into the run.
    """

    ranks: Mapping[str, int]
    holds: Mapping[str, float]
    makespan_s: float
    plain_s: float


@dataclass(slots=True)
class Budget:
    """How much may be tried; `now` None: only schedules count."""

    schedules: int = SCHEDULES
    seconds: float = BUDGET_S
    now: Callable[[], float] | None = None
    used: int = 0
    _until: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        """The time begins to run."""
        if self.now is not None:
            self._until = self.now() + self.seconds

    def is_left(self) -> bool:
        """Whether another schedule may be tried."""
        if self.used >= self.schedules:
            return False
        return self.now is None or self.now() < self._until


@dataclass(frozen=True, slots=True)
class Tried:
    """An order by start, and how long its schedule takes."""

    makespan_s: float
    order: tuple[int, ...]


def better_order(
    conditions: Conditions, *, draw: Random, budget: Budget | None = None
) -> BetterOrder:
    """An order that beats the plain rule when the Machine runs it, or none.

    `conditions` hold the group with its estimates (see `estimates.with_estimates`). Raises
    `SimulationStalled` where something needed is closed.
    """
    plain = conditions.with_order({})
    plain_s = plain.run().makespan_s
    best = BetterOrder({}, {}, plain_s, plain_s)
    if not 1 < len(plain.group.tasks) <= TASKS_AT_MOST:
        return best
    least_s = _least_s(plain)
    if plain_s <= least_s * (1 + LEAST_GAIN):
        return best
    search = _Search(plain, draw, budget or Budget(), least_s)
    tried = 0
    for ranks, holds, promised_s in search.orders():
        if tried >= CHECKED_AT_MOST or promised_s >= best.makespan_s - LEAST_GAIN * plain_s:
            continue
        tried += 1
        makespan_s = plain.with_order(ranks, holds).run().makespan_s
        if makespan_s < best.makespan_s - LEAST_GAIN * plain_s:
            best = BetterOrder(ranks, holds, makespan_s, plain_s)
    return best


def orders_found(
    conditions: Conditions, *, draw: Random, budget: Budget
) -> Iterator[Mapping[str, int]]:
    """The best orders found that hold nothing back, as ranks; whether they are good is not said."""
    search = _Search(conditions, draw, budget, _least_s(conditions))
    for ranks, holds, _ in search.orders():
        if not holds:
            yield ranks


def planned_order(
    conditions: Conditions, *, now: Callable[[], float], worth_s: float = 0.0
) -> BetterOrder | None:
    """What a plan starts from: a better order, or the plain one (empty ranks) with its forecast.

    None: the group wants no plan, is too large for one, may be over in `worth_s`, or cannot end.
    Takes at most BUDGET_S and SEARCH_SHARE of the run at its best. `now` is a clock in seconds.
    """
    if not conditions.group.planning or len(conditions.group.tasks) > TASKS_AT_MOST:
        return None
    least_s = _least_s(conditions)
    if least_s < worth_s:
        return None
    budget = Budget(seconds=min(BUDGET_S, SEARCH_SHARE * least_s), now=now)
    draw = Random(SEED)  # noqa: S311 nothing secret: the same group gives the same plan
    try:
        return better_order(conditions, draw=draw, budget=budget)
    except SimulationStalled:
        return None


def _least_s(conditions: Conditions) -> float:
    group = conditions.group
    seconds = {task.id: estimated_s(task) for task in group.tasks}
    return lower_bound(group, seconds, conditions.capacities()).seconds


class _Search:
    """One search: a population of orders, crossed until the budget is used up.

    Where all tasks have one priority, schedules are serial, which finds those that hold room
    free; else they are made as the dispatcher makes them.
    """

    def __init__(
        self, conditions: Conditions, draw: Random, budget: Budget, least_s: float
    ) -> None:
        self._problem: Problem = problem_of(conditions)
        self._draw = draw
        self._budget = budget
        self._enough_s = least_s * (1 + LEAST_GAIN)
        group = conditions.group
        weights = urgencies(group, build(group.tasks), conditions.capacities())
        self._urgency = [weights[id_] for id_ in self._problem.ids]
        self._count = len(self._problem.ids)
        self._is_serial = self._problem.has_one_priority

    def orders(self) -> Iterator[tuple[dict[str, int], dict[str, float], float]]:
        """(ranks, holds, promised makespan): the best that hold nothing, then the best of all."""
        population = self._run()
        free = sorted(
            (Tried(self._parallel(tried.order)[1], tried.order) for tried in population),
            key=lambda tried: tried.makespan_s,
        )
        for tried in free[:2]:
            yield self._ranks(tried.order), {}, tried.makespan_s
        if self._is_serial:
            for tried in population[:2]:
                yield self._ranks(tried.order), self._holds(tried), tried.makespan_s

    def _run(self) -> list[Tried]:
        population: list[Tried] = []
        spread = 0.0
        while len(population) < POPULATION and self._goes_on(population):
            population.append(self._improved(self._sampled(spread)))
            population.sort(key=lambda tried: tried.makespan_s)
            spread = min(SPREAD_MOST, max(SPREAD_FIRST, spread * 1.15))
        while self._goes_on(population):
            mother, father = self._parent(population), self._parent(population)
            child = self._improved(self._mutated(self._crossed(mother.order, father.order)))
            self._take_in(population, child)
        return population

    def _goes_on(self, population: Sequence[Tried]) -> bool:
        if not population:
            return True
        return self._budget.is_left() and population[0].makespan_s > self._enough_s

    def _parent(self, population: Sequence[Tried]) -> Tried:
        """The better of two drawn."""
        count = len(population)
        return population[min(self._draw.randrange(count), self._draw.randrange(count))]

    @staticmethod
    def _take_in(population: list[Tried], child: Tried) -> None:
        if child.makespan_s >= population[-1].makespan_s:
            return
        if any(child.order == known.order for known in population):
            return
        population[-1] = child
        population.sort(key=lambda tried: tried.makespan_s)

    # ------------------------------------------------------------ orders

    def _ranks(self, order: Sequence[int]) -> dict[str, int]:
        ids = self._problem.ids
        return {ids[i]: rank for rank, i in enumerate(order)}

    def _sampled(self, spread: float) -> list[int]:
        """By urgency, disturbed by so much of the greatest one; dependencies stay in order."""
        most = max(self._urgency) * spread
        key = [self._draw.uniform(-most, most) - urgency for urgency in self._urgency]
        for i in reversed(range(self._count)):
            key[i] = min([key[i], *(key[j] for j in self._problem.dependents[i])])
        return sorted(range(self._count), key=lambda i: (key[i], i))

    def _crossed(self, mother: Sequence[int], father: Sequence[int]) -> list[int]:
        """The mother's order, but between two cuts as the father has it."""
        one, other = sorted(self._draw.sample(range(self._count + 1), 2))
        head, tail = mother[:one], mother[other:]
        outside = {*head, *tail}
        return [*head, *(i for i in father if i not in outside), *tail]

    def _mutated(self, order: list[int]) -> list[int]:
        draw, needed = self._draw.random, self._problem.needed
        for position in range(self._count - 1):
            if draw() < MUTATION:
                i, j = order[position], order[position + 1]
                if i not in needed[j]:
                    order[position], order[position + 1] = j, i
        return order

    # ------------------------------------------------------------ schedules

    def _improved(self, order: Sequence[int]) -> Tried:
        """The order's schedule, justified to the right and to the left again."""
        durations, count = self._problem.durations, self._count
        self._budget.used += 3
        starts, makespan_s = self._forward(order)
        ends = [starts[i] + durations[i] for i in range(count)]
        late = self._backward(sorted(range(count), key=lambda i: (-ends[i], -i)))
        again = sorted(range(count), key=lambda i: (-late[i] - durations[i], i))
        starts_again, again_s = self._forward(again)
        if again_s <= makespan_s:
            starts, makespan_s = starts_again, again_s
        return Tried(makespan_s, tuple(sorted(range(count), key=lambda i: (starts[i], i))))

    def _forward(self, order: Sequence[int]) -> tuple[list[float], float]:
        if self._is_serial:
            return serial(self._problem, order, self._problem.needed)
        return self._parallel(order)

    def _backward(self, order: Sequence[int]) -> list[float]:
        """Starts counted from the end."""
        problem = self._problem
        if self._is_serial:
            return serial(problem, order, problem.dependents)[0]
        return parallel(problem, order, problem.dependents, problem.needed)[0]

    def _parallel(
        self, order: Sequence[int], not_before: Sequence[float] | None = None
    ) -> tuple[list[float], float]:
        """As the dispatcher starts tasks in that order."""
        problem = self._problem
        if not self._problem.has_one_priority:
            order = sorted(order, key=lambda i: -problem.priorities[i])
        return parallel(problem, order, problem.needed, problem.dependents, not_before)

    def _holds(self, tried: Tried) -> dict[str, float]:
        """The fewest found that make the dispatcher keep to the schedule's makespan.

        Again and again the first task that would start too early is held back.
        """
        problem = self._problem
        planned, makespan_s = serial(problem, tried.order, problem.needed)
        not_before = [0.0] * self._count
        for _ in range(self._count):
            starts, found_s = self._parallel(tried.order, not_before)
            early = [i for i in range(self._count) if starts[i] < planned[i]]
            if found_s <= makespan_s or not early:
                break
            first = min(early, key=starts.__getitem__)
            not_before[first] = planned[first]
        return {problem.ids[i]: until_s for i, until_s in enumerate(not_before) if until_s}
