"""A machine driven as a leader drives it, held against the simulation and against its replay."""

import heapq
import itertools
from dataclasses import dataclass, field, replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executions.scheduling.figures import AttemptRecord
from executions.scheduling.machine import Machine
from executions.scheduling.messages import (
    AttemptCompleted,
    AttemptStarted,
    Dispatch,
    ExecutionSubmitted,
    LimitsChanged,
    RanksChanged,
    Tick,
    WakeAt,
    WorkersChanged,
)
from executions.scheduling.model import AttemptState, TaskState
from executions.scheduling.simulation import Submission, simulate_many
from executions.scheduling.whatif import what_if
from tests.scheduling.builders import X, Y
from tests.scheduling.planned import SITE, groups

WORKERS = {"a": 2, "b": 3, "c": 1}
TODAY = 1.7e9
"""Seconds since the epoch as a float are known to a quarter of a microsecond."""
CYCLE_S = 0.001
START_S = 0.004


@dataclass
class Leader:
    """Plays a leader, its workers and its clock; keeps what the database would.

    Each decision is late by up to `late_s`, and takes in all that came until then, in any order.
    At each of `orders` (count of the decision: order) a better order is found.
    """

    seconds: dict[tuple[str, str], float]
    draw: Random
    now: float = 0.0
    late_s: float = 0.0
    orders: dict[int, dict[str, int]] = field(default_factory=dict)

    def __post_init__(self):
        self.machine = Machine()
        self.coming, self.numbers = [], itertools.count()
        self.started = []
        self.dispatched, self.released, self.began_at = {}, {}, {}
        self.kept_orders = []

    def later(self, at, event):
        heapq.heappush(self.coming, (at, next(self.numbers), event))

    def run(self, *submissions):
        self.decide([LimitsChanged(SITE), WorkersChanged(WORKERS)])
        begin = self.now
        for at, execution, of in submissions:
            self.later(begin + at, ExecutionSubmitted(execution, of))
        decisions = 0
        while self.coming or self.wake_at is not None:
            self.wait()
            events = []
            while self.coming and self.coming[0][0] <= self.now:
                events.append(heapq.heappop(self.coming)[2])
            came = [e for e in events if isinstance(e, ExecutionSubmitted)]
            told = [e for e in events if not isinstance(e, ExecutionSubmitted)]
            events = [*came, *self.draw.sample(told, len(told))]
            decisions += 1
            if decisions in self.orders and X in self.began_at:
                ranks = self.orders[decisions]
                self.kept_orders.append((self.now - self.began_at[X], ranks))
                events.append(RanksChanged(X, ranks))
            self.decide(events or [Tick()])
            if self.draw.random() < 0.3:
                self.machine.changed_waits()
        assert self.machine.executions() == ()
        return self

    def wait(self):
        late_s = self.draw.uniform(0, self.late_s)
        due = self.coming[0][0] + late_s if self.coming else float("inf")
        if self.wake_at is not None:
            due = min(due, self.wake_at)
        self.now = max(due, self.now + CYCLE_S if self.late_s else self.now)

    def decide(self, events):
        decision = self.machine.handle(events, self.now)
        self.machine.check()
        self.wake_at = None
        for step in decision.executions:
            self.began_at.setdefault(step.execution, step.at)
        for told in decision.instructions:
            if isinstance(told, WakeAt):
                self.wake_at = told.at
            elif isinstance(told, Dispatch):
                named = (told.execution, told.task, told.attempt)
                self.started.append((self.now, *named[:2]))
                begins = self.now + (START_S if self.late_s else 0.0)
                ends = begins + self.seconds[named[:2]]
                self.later(begins, AttemptStarted(*named, begins))
                self.later(ends, AttemptCompleted(*named, begins, ends))
        for t in decision.transitions:
            if t.finish is TaskState.DISPATCHED:
                self.dispatched[t.execution, t.task] = self.now
            elif t.attempt_state is AttemptState.COMPLETED:
                self.released[t.execution, t.task] = self.now

    def log(self):
        """The attempts as the database keeps them: to the microsecond."""
        return [
            AttemptRecord(id_, 1, began, began, ended, ended, AttemptState.COMPLETED, None)
            for (execution, id_), at in self.dispatched.items()
            for began, ended in [(round(at, 6), round(self.released[execution, id_], 6))]
        ]


def seconds_of(draw, submissions):
    """Half of them are whole, so that many end at once."""
    return {
        (execution, t.id): draw.choice([draw.uniform(0.5, 3), draw.randrange(1, 4)])
        for _, execution, of in submissions
        for t in of.tasks
    }


@given(groups(), groups(), st.integers(0, 999), st.sampled_from([0.0, 1.0, 2.5]))
def test_a_leader_starts_tasks_in_the_order_of_the_simulation(one, other, seed, later_s):
    draw = Random(seed)
    submissions = [(0.0, X, one), (later_s, Y, other)]
    seconds = seconds_of(draw, submissions)
    really = Leader(seconds, draw).run(*submissions).started
    imagined = []

    def observe(now, _events, decision):
        told = [i for i in decision.instructions if isinstance(i, Dispatch)]
        imagined.extend((now, i.execution, i.task) for i in told)

    simulate_many(
        [
            Submission(execution, of, at, {t.id: seconds[execution, t.id] for t in of.tasks})
            for at, execution, of in submissions
        ],
        limits=SITE,
        workers=WORKERS,
        observe=observe,
    )
    assert really == imagined


@st.composite
def planned_groups(draw):
    """Groups that go by a plan: an order, and tasks that are held back for some seconds."""
    of = draw(groups(most=12))
    ids = [t.id for t in of.tasks]
    ranks = {id_: rank for rank, id_ in enumerate(draw(st.permutations(ids)))}
    held = draw(st.lists(st.sampled_from(ids), max_size=3, unique=True))
    holds = {id_: draw(st.sampled_from([0.7, 1.3, 2.9])) for id_ in held}
    return replace(of, ranks=ranks, holds=holds)


@given(planned_groups(), st.integers(0, 999), st.sets(st.integers(2, 12), max_size=3))
def test_a_replay_goes_by_the_orders_of_its_run(of, seed, changes):
    draw = Random(seed)
    ids = [t.id for t in of.tasks]
    orders = {n: {id_: r for r, id_ in enumerate(draw.sample(ids, len(ids)))} for n in changes}
    leader = Leader(
        seconds_of(draw, [(0.0, X, of)]), draw, TODAY + draw.random(), late_s=0.01, orders=orders
    ).run((0.0, X, of))
    replayed = what_if(
        of,
        leader.log(),
        limits=SITE,
        changes={},
        now=2 * TODAY,
        worker_slots=sum(WORKERS.values()),
        orders=leader.kept_orders,
    )
    really = {id_: at - leader.began_at[X] for at, _, id_ in leader.started}
    again = {row.id: row.started_at for row in replayed.changed.schedule}
    assert again == pytest.approx(really, abs=1e-4)
