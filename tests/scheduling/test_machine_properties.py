"""The machine against a world that fails, forgets and repeats itself, step by random step."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from executions.scheduling.messages import (
    AttemptCancelled,
    AttemptCompleted,
    AttemptFailed,
    AttemptLost,
    AttemptReturned,
    AttemptStarted,
    AttemptTimedOut,
    CancelRequested,
    LimitsChanged,
    PauseRequested,
    RanksChanged,
    ResumeRequested,
    Tick,
    WorkersChanged,
)
from tests.scheduling.groups import AMPLE, groups, limits, open_limits
from tests.scheduling.world import World

SLOTS = {"a": 3, "b": 3}
workers = st.fixed_dictionaries({}, optional={"a": st.integers(0, 3), "b": st.integers(1, 3)})
ENDS = (
    "complete",
    "complete",
    "complete",
    "fail",
    "reject",
    "time out",
    "lose",
    "return",
    "hand back",
)


def is_end(transition) -> bool:
    return transition.attempt_state not in (None, "dispatched", "running")


class MachineInTheWorld(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.world = World(AMPLE, SLOTS)
        self.submitted = 0

    def pick(self, data, keys):
        return data.draw(st.sampled_from(sorted(keys)))

    def start_event(self, key):
        return AttemptStarted(*key, self.world.log[self.world.live[key]].number, self.world.now)

    def end_event(self, key, how):
        world = self.world
        row = world.log[world.live[key]]
        started_at = row.dispatched_at if row.started_at is None else row.started_at
        named, times = (*key, row.number), (started_at, world.now)
        return {
            "complete": lambda: AttemptCompleted(*named, *times),
            "fail": lambda: AttemptFailed(*named, *times, "boom"),
            "reject": lambda: AttemptFailed(*named, *times, "never", retryable=False),
            "time out": lambda: AttemptTimedOut(*named, *times),
            "lose": lambda: AttemptLost(*named),
            "return": lambda: AttemptReturned(*named, started=row.started_at is not None),
            "hand back": lambda: AttemptReturned(*named, started=True),
        }[how]()

    @precondition(lambda self: len(self.world.open) < 3)
    @rule(group=groups())
    def submit(self, group):
        self.submitted += 1
        self.world.submit(f"PEXEC-{self.submitted}", group)

    @precondition(lambda self: self.world.live)
    @rule(data=st.data())
    def start(self, data):
        self.world.tell(self.start_event(self.pick(data, self.world.live)))

    @precondition(lambda self: self.world.live)
    @rule(data=st.data(), how=st.sampled_from(ENDS))
    def end(self, data, how):
        self.world.tell(self.end_event(self.pick(data, self.world.live), how))

    @precondition(lambda self: len(self.world.live) > 1)
    @rule(data=st.data(), seed=st.randoms(use_true_random=False))
    def end_several_at_once(self, data, seed):
        keys = sorted(self.world.live)
        events = [self.end_event(key, data.draw(st.sampled_from(ENDS))) for key in keys]
        events += [self.start_event(key) for key in keys]
        seed.shuffle(events)
        self.world.tell(*events)

    @precondition(lambda self: self.world.live)
    @rule(data=st.data(), seed=st.randoms(use_true_random=False))
    def hear_of_one_end_in_many_ways(self, data, seed):
        """Every message three times, in any order; the first end counts."""
        key = self.pick(data, self.world.live)
        hows = data.draw(st.lists(st.sampled_from(ENDS), min_size=1, max_size=3))
        events = 3 * [self.start_event(key), *(self.end_event(key, how) for how in hows)]
        seed.shuffle(events)
        decision = self.world.tell(*events)
        ends = [t for t in decision.transitions if (t.execution, t.task) == key and is_end(t)]
        assert len(ends) == 1

    @precondition(lambda self: self.world.stopping)
    @rule(data=st.data())
    def stop_as_told(self, data):
        key = self.pick(data, self.world.stopping)
        row = self.world.log[self.world.live[key]]
        self.world.tell(AttemptCancelled(*key, row.number, row.started_at, self.world.now))

    @precondition(lambda self: self.world.open)
    @rule(data=st.data(), verb=st.sampled_from((CancelRequested, PauseRequested, ResumeRequested)))
    def ask(self, data, verb):
        self.world.tell(verb(self.pick(data, self.world.open)))

    @precondition(lambda self: self.world.open)
    @rule(data=st.data(), seed=st.randoms(use_true_random=False))
    def find_a_better_order(self, data, seed):
        execution = self.pick(data, self.world.open)
        ids = [task.id for task in self.world.groups[execution].tasks]
        seed.shuffle(ids)
        self.world.tell(RanksChanged(execution, {id_: i for i, id_ in enumerate(ids)}))

    @rule(limits=st.one_of(limits, open_limits))
    def change_limits(self, limits):
        self.world.tell(LimitsChanged(limits))

    @rule(workers=workers)
    def change_workers(self, workers):
        self.world.tell(WorkersChanged(workers))

    @rule(seconds=st.sampled_from((0.25, 1.0, 3.0, 30.0)))
    def pass_time(self, seconds):
        self.world.now += seconds
        self.world.tell(Tick())

    @rule()
    def ask_what_changed(self):
        self.world.ask_what_changed()

    @rule()
    def turn_the_clock_back(self):
        decision = self.world.machine.handle([Tick()], self.world.now - 3600)
        self.world.twin.handle([Tick()], self.world.now - 3600)
        self.world.believe(decision)

    @precondition(lambda self: self.world.told)
    @rule(data=st.data())
    def repeat_old_messages(self, data):
        known = [e for e in self.world.told if type(e).__name__.startswith("Attempt")]
        if not known:
            return
        old = data.draw(st.lists(st.sampled_from(known), min_size=1, max_size=4))
        stale = [e for e in old if self.is_stale(e)]
        assert not self.world.tell(*stale).transitions

    def is_stale(self, event):
        index = self.world.live.get((event.execution, event.task))
        return index is None or self.world.log[index].number != event.attempt

    @rule()
    def crash(self):
        self.world.crash()

    @precondition(lambda self: self.world.live)
    @rule(data=st.data(), how=st.sampled_from(ENDS))
    def crash_before_the_decision_is_written(self, data, how):
        """What was decided is forgotten; the messages come again."""
        event = self.end_event(self.pick(data, self.world.live), how)
        self.world.crash(undone=[event])
        if (event.execution, event.task) in self.world.live:
            self.world.tell(event)

    @invariant()
    def every_task_stands_where_it_was_told_to(self):
        world = self.world
        assert set(world.machine.executions()) == world.open
        for id_ in world.open:
            stands = {t: p.state for t, p in world.machine.progress(id_).tasks.items()}
            told = {t: s for (e, t), s in world.states.items() if e == id_}
            assert stands == told

    @invariant()
    def the_log_holds(self):
        if len(self.world.log) < 12:
            self.world.judge()

    def teardown(self):
        """After healing every run ends and nothing is held."""
        world = self.world
        if world.is_broken:
            return  # what went wrong is told already
        world.tell(LimitsChanged(AMPLE), WorkersChanged(SLOTS))
        world.tell(*(ResumeRequested(id_) for id_ in sorted(world.open)))
        for _ in range(400):
            if not world.open:
                break
            if world.live:
                world.tell(self.end_event(min(world.live), "complete"))
            else:
                assert world.wake_at is not None, world.machine.usage()
                world.now = max(world.now, world.wake_at)
                world.tell(Tick())
        assert not world.open
        assert all(used == 0 for used, _ in world.machine.usage().values())
        world.ask_what_changed()
        world.judge()


long = bool(os.environ.get("PEXEC_FUZZ"))
MachineInTheWorld.TestCase.settings = settings(
    max_examples=int(os.environ.get("PEXEC_FUZZ", "250")),
    stateful_step_count=80 if long else 40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
test_the_machine_keeps_its_promises = MachineInTheWorld.TestCase
