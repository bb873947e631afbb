"""Searching again in mid-run: when it is due, what it may change, what it is worth."""

import pickle
import random
from dataclasses import replace
from statistics import fmean

from hypothesis import given, settings
from hypothesis import strategies as st

from bench.replanning import conditions, makespans, wrong_types
from executions.scheduling.messages import LimitsChanged, RanksChanged, Transition
from executions.scheduling.model import ExecutionState, Hold, Reason, TaskState
from executions.scheduling.replanning import (
    SEARCHES_AT_MOST,
    RunWatch,
    better_rest,
    expected_s,
    seconds_known,
    workers_of,
)
from executions.scheduling.search import Budget, better_order
from executions.scheduling.simulation import simulate_from
from tests.invariants import problems
from tests.scheduling.builders import Site, X, Y, group, site, task, units
from tests.scheduling.planned import SITE, groups
from tests.scheduling.test_brute_force import log_of

SLOTS = 100


def test_with_wrong_estimates_searching_again_pays():
    once, again = [], []
    for seed in range(16):
        of = conditions(seed, 40)
        plan = better_order(of, draw=random.Random(1), budget=Budget(100))
        factor = wrong_types(random.Random(seed))
        actual = {t.id: t.duration_s * factor(t) for t in of.group.tasks}
        plain_s, once_s, again_s = makespans(of, plan, actual, schedules=100)
        once.append(once_s / plain_s)
        again.append(again_s / plain_s)
    assert fmean(again) < fmean(once)


def began(of, limits):
    """A site with the group running, and what watches it."""
    here = Site(limits)
    here.submit(of)
    return here, RunWatch(X, of, here.now, 10.0)


@settings(max_examples=40, deadline=None)
@given(groups(), st.integers(0, 99), st.integers(0, 12), st.none() | groups(most=4))
def test_what_is_found_beats_going_on_and_the_plain_rule(of, seed, done, other):
    draw = random.Random(seed)
    here = Site(SITE)
    if other is not None:
        here.submit(other, Y)
    of = replace(of, ranks={t.id: draw.random() for t in of.tasks})
    here.submit(of)
    watch = RunWatch(X, of, here.now, 10.0)
    for _ in range(done):
        if X not in here.machine.executions() or not here.machine.progress(X).tasks:
            break
        live = [id_ for id_, t in here.machine.progress(X).tasks.items() if t.live is not None]
        if not live:
            break
        here.complete(draw.choice(live), after=draw.uniform(0.1, 3))
        for transition in here.decision.transitions:
            watch.note(transition)
    if X not in here.machine.executions():
        return
    standing = watch.standing(here.machine, SITE, SLOTS, here.now)
    found = better_rest(pickle.loads(pickle.dumps(standing)), draw=draw, budget=Budget(60))
    if found is None:
        return
    seconds = seconds_known(of, standing.progress, standing.actual_s, here.now)

    def went(ranks):
        return simulate_from(
            replace(standing.group, ranks=ranks, holds={}),
            standing.progress,
            limits=standing.limits,
            now=here.now,
            durations=seconds,
            workers=workers_of(standing.progress, standing.worker_slots),
        )

    better = went(found.ranks)
    assert found.execution == X
    assert better.finished_at < went(standing.group.ranks).finished_at
    assert better.finished_at <= went({}).finished_at
    over = {id_ for id_, t in standing.progress.tasks.items() if t.state is TaskState.COMPLETED}
    assert not problems(log_of(better), {"PEXEC-0": without(of, over)}, limits=standing.limits)


def without(of, over):
    """What is left of a group: a replay tells nothing of when the tasks before it ran."""
    left = [task for task in of.tasks if task.id not in over]
    needs = {task.id: tuple(id_ for id_ in task.depends_on if id_ not in over) for task in left}
    return replace(of, tasks=tuple(replace(task, depends_on=needs[task.id]) for task in left))


def test_what_other_runs_hold_is_not_reckoned_with():
    limits = site(team_dev=4, resource_db=3)
    here = Site(limits, slots=6)
    here.submit(group(*(task(f"O{i}", team="dev", needs=(units("db"),)) for i in range(3))), Y)
    of = group(
        *(task(f"T{i}", team="dev") for i in range(5)), task("W", "T0", needs=(units("db", 2),))
    )
    here.submit(of)
    assert here.dispatched == ["T0"]
    standing = RunWatch(X, of, 0.0, 10.0).standing(here.machine, limits, 6, 1.0)
    assert standing.limits == {"team:dev": 1, "resource:db": 2}, "W will have its turn"
    assert standing.worker_slots == 3


def completed(id_, seconds):
    return Transition(
        X, id_, TaskState.RUNNING, TaskState.COMPLETED, 0.0, started_at=0.0, finished_at=seconds
    )


def watch_of(count=10):
    return RunWatch(X, group(*(task(f"T{i}", duration_s=2) for i in range(count))), 0.0, 10.0)


def test_a_run_that_goes_as_estimated_is_left_alone():
    watch = watch_of()
    for i in range(6):
        watch.note(completed(f"T{i}", 2.1))
    assert not watch.is_due(100.0)


def test_a_search_is_due_when_durations_are_off():
    watch = watch_of()
    for i in range(4):
        assert not watch.is_due(100.0)
        watch.note(completed(f"T{i}", 3.0))
    assert not watch.is_due(0.5), "not at once"
    assert watch.is_due(100.0)


def test_a_search_is_due_when_what_runs_does_not_end():
    watch = watch_of()
    for i in range(4):
        assert not watch.is_due(100.0), "too few are late"
        watch.note(Transition(X, f"T{i}", TaskState.QUEUED, TaskState.DISPATCHED, 50.0))
    assert not watch.is_due(51.9)
    assert watch.is_due(53.0)
    watch.note(completed("T0", 2.0))
    assert watch.is_due(54.0)
    for i in range(1, 4):
        watch.note(completed(f"T{i}", 2.2))
    assert not watch.is_due(100.0), "they were not far off after all"


def test_a_search_is_due_after_a_failure_and_a_changed_limit():
    watch, other = watch_of(), watch_of()
    failed = Transition(X, "T0", TaskState.RUNNING, TaskState.FAILED, 0.0, reason=Reason.ERROR)
    watch.note(failed)
    other.disturb()
    assert watch.is_due(100.0)
    assert other.is_due(100.0)


def test_searches_end():
    here, _ = began(group(*(task(f"T{i}", duration_s=2) for i in range(10))), {})
    watch = watch_of()
    for n in range(SEARCHES_AT_MOST):
        watch.disturb()
        assert watch.is_due(100.0 * (n + 1))
        watch.standing(here.machine, {}, SLOTS, 100.0 * (n + 1))
    watch.disturb()
    assert not watch.is_due(1e9)


def test_the_last_task_needs_no_order():
    watch = watch_of(2)
    watch.note(completed("T0", 9.0))
    watch.disturb()
    assert not watch.is_due(100.0)


def test_a_paused_run_is_not_searched():
    here, watch = began(group(task("A"), task("B"), max_concurrency=1), {})
    standing = watch.standing(here.machine, {}, SLOTS, 1.0)
    paused = replace(standing, progress=replace(standing.progress, state=ExecutionState.PAUSED))
    assert better_rest(paused, draw=random.Random(1), budget=Budget(10)) is None


def test_estimates_follow_the_pace_of_what_is_like_them():
    slow = [task(f"S{i}", team="slow", duration_s=2) for i in range(5)]
    of = group(*slow, task("F0", team="fast", duration_s=2), task("F1", team="fast", duration_s=2))
    found = expected_s(of, {f"S{i}": 8.0 for i in range(4)} | {"F0": 2.0})
    assert found["S4"] == 8
    assert found["F1"] == 2 * 34 / 10, "too few of its team are done: the pace of all"
    assert found["S0"] == 8


def test_a_new_order_ends_what_the_plan_held_back():
    of = group(task("A", duration_s=5), task("B", duration_s=5), max_concurrency=5)
    here, _ = began(replace(of, holds={"B": 4.0}), {})
    assert here.dispatched == ["A"]
    assert here.keys() == [(Hold.PLAN,)]
    assert here.machine.holds(X) == {"B": 4.0}
    here.tell(RanksChanged(X, {"B": 0, "A": 1}))
    assert here.dispatched == ["B"]
    assert here.machine.holds(X) == {}


def test_a_changed_limit_ends_them_too():
    here, _ = began(
        replace(group(task("A", team="dev"), task("B")), holds={"B": 4.0}), site(team_dev=1)
    )
    here.tell(LimitsChanged(site(team_dev=2)))
    assert here.machine.holds(X) == {}
