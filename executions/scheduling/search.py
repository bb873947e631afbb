"""Looks for an order that beats the plain rule, and hands it on only if the Machine agrees.

A genetic search over orders: each schedule is pushed to the right and back to the left
(justified), good ones are crossed. Given the same draws and budget it finds the same. Knows no
clock: `now` is given, or the budget is a number of schedules.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final

from executions.scheduling.bounds import bounds
from executions.scheduling.conditions import Conditions
from executions.scheduling.graph import build, estimated_s
from executions.scheduling.model import Group
from executions.scheduling.schedules import Problem, parallel, problem_of, serial
from executions.scheduling.simulation import SimulationStalled
from executions.scheduling.urgency import urgencies

TASKS_AT_MOST: Final = 2000
SCHEDULES: Final = 3000
BUDGET_S: Final = 1.0
POPULATION: Final = 30
MUTATION: Final = 0.05
CHECKED_AT_MOST: Final = 3
LEAST_GAIN: Final = 1e-9


@dataclass(frozen=True, slots=True)
class BetterOrder:
    """What the search found. Empty `ranks`: nothing better than the plain rule."""

    ranks: Mapping[str, int]
    makespan_s: float
    plain_s: float
    schedules: int


@dataclass(slots=True)
class Budget:
    """How much may still be tried; `now` None: only schedules count."""

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
    """One order and how long its schedule takes."""

    makespan_s: float
    order: tuple[int, ...]


def better_order(conditions: Conditions, *, draw: Random, budget: Budget | None = None) -> BetterOrder:
    """Ranks that beat the plain rule when the Machine runs them, or none.

    `conditions` hold the group with its estimates (see `estimates.with_estimates`). Raises
    `SimulationStalled` where something needed is closed.
    """
    budget = budget or Budget()
    plain = conditions.with_ranks({})
    plain_s = plain.run().makespan_s
    nothing = BetterOrder({}, plain_s, plain_s, 0)
    group = conditions.group
    if not 1 < len(group.tasks) <= TASKS_AT_MOST:
        return nothing
    least_s = _least_s(plain)
    if plain_s <= least_s + LEAST_GAIN:
        return nothing
    found = _Search(problem_of(plain), plain, draw, budget, least_s).run()
    best = nothing
    for tried in found[:CHECKED_AT_MOST]:
        if tried.makespan_s >= best.makespan_s - LEAST_GAIN:
            break
        ranks = {found_id: rank for rank, found_id in enumerate(_ids(plain, tried))}
        makespan_s = plain.with_ranks(ranks).run().makespan_s
        if makespan_s < best.makespan_s - LEAST_GAIN:
            best = BetterOrder(ranks, makespan_s, plain_s, budget.used)
    return best


def _ids(conditions: Conditions, tried: Tried) -> list[str]:
    order = build(conditions.group.tasks).order
    return [order[i] for i in tried.order]


def _least_s(conditions: Conditions) -> float:
    group: Group = conditions.group
    seconds = {task.id: estimated_s(task) for task in group.tasks}
    return bounds(group, seconds, conditions.capacities())[0].seconds


class _Search:
    """One search: a population of orders, crossed until the budget is used up."""

    def __init__(
        self, problem: Problem, conditions: Conditions, draw: Random, budget: Budget, least_s: float
    ) -> None:
        self._problem = problem
        self._draw = draw
        self._budget = budget
        self._least_s = least_s
        group = conditions.group
        weights = urgencies(group, build(group.tasks), conditions.capacities())
        self._urgency = [weights[id_] for id_ in problem.ids]
        self._count = len(problem.ids)

    def run(self) -> list[Tried]:
        """Orders by makespan, best first, all different in makespan."""
        population = self._begin()
        while self._budget.is_left() and population[0].makespan_s > self._least_s + LEAST_GAIN:
            mother, father = self._parents(population)
            child = self._improved(self._mutated(self._crossed(mother.order, father.order)))
            self._take_in(population, child)
        return population

    def _begin(self) -> list[Tried]:
        population = [self._improved(self._sampled(0.0))]
        spread = 0.05
        while (
            len(population) < POPULATION
            and self._budget.is_left()
            and population[0].makespan_s > self._least_s + LEAST_GAIN
        ):
            population.append(self._improved(self._sampled(spread)))
            spread = min(0.5, spread * 1.15)
            population.sort(key=lambda tried: tried.makespan_s)
        return population

    def _parents(self, population: Sequence[Tried]) -> tuple[Tried, Tried]:
        """Each the better of two drawn."""
        count = len(population)
        draw = self._draw.randrange
        return (
            population[min(draw(count), draw(count))],
            population[min(draw(count), draw(count))],
        )

    @staticmethod
    def _take_in(population: list[Tried], child: Tried) -> None:
        if child.makespan_s >= population[-1].makespan_s and len(population) >= POPULATION:
            return
        if any(child.order == known.order for known in population):
            return
        population.append(child)
        population.sort(key=lambda tried: tried.makespan_s)
        del population[POPULATION:]

    # ------------------------------------------------------------ orders

    def _sampled(self, spread: float) -> list[int]:
        """By urgency, disturbed by so much of the greatest one."""
        most = max(self._urgency) * spread
        key = [-u + self._draw.uniform(-most, most) for u in self._urgency]
        return self._in_order(key)

    def _in_order(self, key: Sequence[float]) -> list[int]:
        """Sorted by key, but every task after all that it needs, higher priority first."""
        latest = list(key)
        for i in reversed(range(self._count)):
            for j in self._problem.dependents[i]:
                if latest[j] < latest[i]:
                    latest[i] = latest[j]
        return sorted(range(self._count), key=lambda i: (latest[i], i))

    def _crossed(self, mother: Sequence[int], father: Sequence[int]) -> list[int]:
        """The mother's order between two cuts as the father has it: dependencies stay in order."""
        one, other = sorted(self._draw.sample(range(self._count + 1), 2))
        head, tail = mother[:one], mother[other:]
        outside = {*head, *tail}
        middle = [i for i in father if i not in outside]
        return [*head, *middle, *tail]

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
        problem = self._problem
        self._budget.used += 3
        first = self._forward(order)
        starts, makespan_s = first
        durations, count = problem.durations, self._count
        ends = [starts[i] + durations[i] for i in range(count)]
        back = sorted(range(count), key=lambda i: (-ends[i], -i))
        late, _ = parallel(problem, back, problem.dependents, problem.needed)
        again = sorted(range(count), key=lambda i: (-(late[i] + durations[i]), i))
        starts_again, again_s = self._forward(again)
        if again_s <= makespan_s:
            starts, makespan_s = starts_again, again_s
            chosen = again
        else:
            chosen = list(order)
        by_start = sorted(range(count), key=lambda i: (starts[i], chosen.index(i)))
        return Tried(makespan_s, tuple(by_start))

    def _forward(self, order: Sequence[int]) -> tuple[list[float], float]:
        problem = self._problem
        if not problem.has_one_priority:
            order = sorted(order, key=lambda i: -problem.priorities[i])
        return parallel(problem, order, problem.needed, problem.dependents)


__all__ = ["BetterOrder", "Budget", "SimulationStalled", "better_order", "serial"]
