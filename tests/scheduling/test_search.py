"""Better orders: valid, never worse than the plain rule, the same for the same draws."""

import itertools
import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from executions.scheduling.conditions import Conditions
from executions.scheduling.messages import LimitsChanged
from executions.scheduling.model import Reason
from executions.scheduling.schedules import parallel, problem_of, serial
from executions.scheduling.search import Budget, better_order
from executions.scheduling.simulation import Submission, simulate_many
from tests.invariants import problems
from tests.scheduling.builders import X, group, site, task, units
from tests.scheduling.planned import SITE, groups
from tests.scheduling.test_brute_force import log_of

ONE_PRIORITY = groups().map(
    lambda of: replace(of, tasks=tuple(replace(t, priority=50) for t in of.tasks))
)


def search(of, limits, schedules=150, seed=1, **more):
    return better_order(
        Conditions(of, limits), draw=random.Random(seed), budget=Budget(schedules, **more)
    )


def held_back():
    """Only who leaves room for the long one is done in time: A starts, B must not."""
    return group(
        task("A", duration_s=2, needs=(units("db"),)),
        task("B", duration_s=8, needs=(units("db"),)),
        task("C", "A", duration_s=8, needs=(units("db", 2),)),
        task("D", "C", duration_s=8, needs=(units("db"),)),
    )


@settings(deadline=None, max_examples=60)
@given(groups(), st.integers(0, 9))
def test_what_is_found_is_valid_and_never_worse(of, seed):
    conditions = Conditions(of, SITE)
    plain = conditions.run()
    found = search(of, SITE, seed=seed)
    better = conditions.with_order(found.ranks, found.holds).run()
    assert better.makespan_s == found.makespan_s <= found.plain_s == plain.makespan_s
    assert not problems(log_of(better), {"PEXEC-0": of}, limits=SITE)


@given(ONE_PRIORITY, st.randoms(use_true_random=False))
def test_schedules_of_an_order_keep_every_rule(of, draw):
    problem = problem_of(Conditions(of, SITE))
    weights = {i: draw.random() for i in range(len(problem.ids))}
    order = []
    while len(order) < len(problem.ids):
        ready = [i for i in weights if i not in order and set(problem.needed[i]) <= set(order)]
        order.append(min(ready, key=weights.__getitem__))
    for starts, makespan_s in (
        serial(problem, order, problem.needed),
        parallel(problem, order, problem.needed, problem.dependents),
    ):
        ends = [s + d for s, d in zip(starts, problem.durations, strict=True)]
        assert makespan_s == max(ends)
        for i, j in itertools.product(range(len(starts)), repeat=2):
            assert j not in problem.needed[i] or starts[i] >= ends[j]
        for at in starts:
            held = [i for i in range(len(starts)) if starts[i] <= at < ends[i]]
            free = problem.free | problem.guards
            for i in held:
                free -= problem.needs[i]
                assert free & problem.guards == problem.guards


def test_where_leaving_room_is_better_the_plan_does_and_says_so():
    of, limits = held_back(), site(resource_db=2)
    found = search(of, limits)
    assert (found.plain_s, found.makespan_s) == (24, 18)
    assert found.holds == {"B": 10}
    result = Conditions(of, limits).with_order(found.ranks, found.holds).run()
    assert result.waits["B"]["plan"] == 10


def test_the_same_draws_find_the_same():
    of, limits = held_back(), site(resource_db=2)
    assert search(of, limits, seed=3) == search(of, limits, seed=3)


def test_nothing_is_tried_where_the_plain_rule_is_at_the_bound():
    budget = Budget(100)
    of = group(*(task(f"T{i}") for i in range(4)), max_concurrency=2)
    found = better_order(Conditions(of, {}), draw=random.Random(1), budget=budget)
    assert (found.ranks, found.makespan_s, budget.used) == ({}, 2, 0)


def test_the_search_ends_with_its_time():
    ticks = itertools.count()
    budget = Budget(10**9, seconds=50, now=lambda: next(ticks))
    of = group(*(task(f"T{i}", duration_s=2) for i in range(3)), max_concurrency=2)
    better_order(Conditions(of, {}), draw=random.Random(1), budget=budget)
    assert 0 < budget.used <= 3 * 51


def test_priorities_are_kept_whatever_the_order_found():
    of = group(
        task("low", duration_s=9),
        task("A", priority=80),
        task("B", priority=80),
        task("C", priority=80),
        max_concurrency=2,
    )
    found = search(of, {})
    starts = {
        s.id: s.started_at
        for s in Conditions(of, {}).with_order(found.ranks, found.holds).run().schedule
    }
    assert starts["low"] >= sorted(starts[i] for i in "ABC")[1]


# ---------------------------------------------------------------- holds of a plan, in the Machine


def went(of, limits, **more):
    return simulate_many([Submission(X, of, **more)], limits=limits)[X]


@pytest.mark.parametrize("late", [0.0, 0.5, 3.0])
def test_a_hold_ends_when_it_is_over_even_if_the_run_is_late(late):
    of = replace(held_back(), holds={"B": 10.0})
    result = went(of, site(resource_db=2), durations={"A": 2 + late})
    started = {s.id: s.started_at for s in result.schedule}
    assert started["C"] == 2 + late
    assert started["B"] == max(10.0, 10.0 + late)


def test_a_plan_never_leaves_everything_idle():
    of = replace(group(task("A"), task("B")), holds={"A": 500.0, "B": 900.0})
    assert went(of, {}).makespan_s == 1


def test_a_failure_ends_the_plan():
    of = replace(group(task("A"), task("B"), task("L", duration_s=9)), holds={"B": 5.0})
    result = went(of, {}, outcomes={"A": [Reason.ERROR]})
    assert {s.id: s.started_at for s in result.schedule}["B"] == 1


def test_a_changed_limit_ends_the_plan():
    of = replace(group(task("L", duration_s=9), task("B")), holds={"B": 5.0})
    result = simulate_many(
        [Submission(X, of)], limits={}, events=[(2.0, LimitsChanged(site(team_dev=1)))]
    )[X]
    assert {s.id: s.started_at for s in result.schedule}["B"] == 2
