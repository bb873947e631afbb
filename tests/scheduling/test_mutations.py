"""Take a rule out of the brain, and a test must fail: the tests hold what they are said to hold."""

from __future__ import annotations

import pytest

from executions.scheduling import admission, capacity, graph
from executions.scheduling.admission import Admission
from executions.scheduling.capacity import Limit
from executions.scheduling.lifecycle import Lifecycle
from executions.scheduling.machine import Machine
from tests.invariants import problems
from tests.scheduling import test_admission, test_lifecycle
from tests.scheduling.builders import alone, group, run, site, task, units
from tests.scheduling.test_brute_force import log_of


def stop_at_the_first_blocked():
    """Once one is blocked in a pass, so are all that come after it."""
    admit_all, blocker_of, blocked = Admission.admit_all, Admission._blocker, []

    def begin(self, start):
        blocked.clear()
        return admit_all(self, start)

    def blocker(self, demand):
        found = blocked[0] if blocked else blocker_of(self, demand)
        blocked.extend([found] if found else [])
        return found

    return [(Admission, "admit_all", begin), (Admission, "_blocker", blocker)]


def own_priorities(_graph, tasks):
    return {task.id: task.priority for task in tasks}


def only_units_count(self):
    free = self.max - self.used
    return sum(line.bit for line in self.lines.values() if line.amount > free)


def shared(change):
    """Take or release as if nothing were needed alone."""

    def changed(shared, alone, board):
        change([*shared, *((limit, 1) for limit in alone)], [], board)

    return changed


def any_attempt(self, execution, task, _attempt):
    return self._executions[execution].live.get(task) if execution in self._executions else None


MUTATIONS = {
    "skip-over": (
        stop_at_the_first_blocked(),
        test_admission.test_a_task_that_fits_passes_one_that_does_not,
    ),
    "reservation": (
        [(admission, "is_passed_over", lambda *_: False)],
        test_admission.test_a_wide_task_passed_over_too_long_gets_its_turn,
    ),
    "inheritance": (
        [(graph, "inherited_priorities", own_priorities)],
        test_admission.test_higher_priority_goes_first_and_is_inherited,
    ),
    "alone keeps others out": (
        [
            (admission, "take", shared(capacity.take)),
            (admission, "release", shared(capacity.release)),
        ],
        test_admission.test_exclusive_means_alone,
    ),
    "alone waits for others": (
        [(Limit, "shortage", only_units_count)],
        test_admission.test_exclusive_means_alone,
    ),
    "sharing": (
        [(Admission, "_share", lambda *_: 0)],
        test_admission.test_equal_executions_share_a_limit_evenly,
    ),
    "critical phase": (
        [(graph, "critical_phase", lambda *_: frozenset())],
        test_admission.test_the_critical_phase_runs_first_and_alone,
    ),
    "late messages": (
        [(Machine, "_live", any_attempt)],
        test_lifecycle.test_late_repeated_and_unknown_messages_change_nothing,
    ),
    "stopping": (
        [(Lifecycle, "stop_attempt", lambda *_: None)],
        test_lifecycle.test_fail_fast_stops_what_runs_and_skips_the_rest,
    ),
}


@pytest.mark.parametrize(("mutations", "test"), MUTATIONS.values(), ids=MUTATIONS)
def test_without_the_rule_its_test_fails(monkeypatch, mutations, test):
    test()
    for mutation in mutations:
        monkeypatch.setattr(*mutation)
    with pytest.raises((AssertionError, KeyError, IndexError)):
        test()


def test_the_independent_checker_sees_shared_what_is_to_be_alone(monkeypatch):
    of = group(task("A", needs=(units("db"),), priority=60), task("B", needs=(alone("db"),)))
    limits = site(resource_db=2)
    assert not problems(log_of(run(of, limits=limits)), {"PEXEC-0": of}, limits=limits)
    monkeypatch.setattr(Limit, "shortage", only_units_count)
    found = problems(log_of(run(of, limits=limits)), {"PEXEC-0": of}, limits=limits)
    assert found == ["PEXEC-0 B: resource:db held alone and shared at 0.0"]


def test_the_independent_checker_sees_a_limit_exceeded():
    of = group(*(task(f"T{i}", team="pm") for i in range(3)))
    log = log_of(run(of, limits=site(team_pm=3)))
    found = problems(log, {"PEXEC-0": of}, limits=site(team_pm=2))
    assert found == ["PEXEC-0 T2: 3 of 2 of team:pm held at 0.0"]
