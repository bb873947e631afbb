"""The virtual clock: durations, outcomes, several executions, going on from the middle."""

import pytest

from executions.scheduling.machine import Machine
from executions.scheduling.messages import LimitsChanged
from executions.scheduling.model import Reason, Strategy
from executions.scheduling.simulation import (
    SimulationEndless,
    SimulationStalled,
    Submission,
    simulate,
    simulate_from,
    simulate_many,
)
from tests.scheduling.builders import Site, X, Y, group, run, site, states, task, times


def test_durations_and_outcomes_are_taken_as_given():
    of = group(task("A", duration_s=9), task("B", "A"), strategy=Strategy.RETRY_FAILED)
    result = run(of, durations={"A": 2}, outcomes={"A": [Reason.ERROR]})
    assert times(result) == {"A": (3, 5), "B": (5, 6)}
    assert result.schedule[0].attempts == 2
    assert result.waits["A"] == {"backoff": 1}
    result = run(of, durations=lambda task, attempt: attempt, outcomes=lambda *_: Reason.REJECTED)
    assert states(result) == {"A": "failed", "B": "skipped"}
    assert result.state == "failed"


def test_a_time_limit_counts_only_if_asked_for():
    of = group(task("A", duration_s=9, timeout_s=4), task("B", duration_s=1, needs_worker=False))
    assert run(of).makespan_s == 9
    result = run(of, time_limits=True)
    assert (result.makespan_s, states(result)["A"]) == (4, "failed")


def test_executions_that_meet_share_the_site():
    of = group(*(task(f"T{i}", team="pm") for i in range(4)))
    found = simulate_many([Submission(X, of), Submission(Y, of, at=0.5)], limits=site(team_pm=2))
    assert (found[X].makespan_s, found[Y].makespan_s) == (3, 3.5)
    assert found[Y].finished_at == 4


def test_limits_may_change_on_the_way():
    of = group(*(task(f"T{i}", team="pm") for i in range(4)))
    found = simulate_many(
        [Submission(X, of)],
        limits=site(team_pm=1),
        events=[(1.5, LimitsChanged(site(team_pm=0))), (5.0, LimitsChanged(site(team_pm=2)))],
    )
    assert times(found[X]) == {"T0": (0, 1), "T1": (1, 2), "T2": (5, 6), "T3": (5, 6)}


def test_an_execution_goes_on_from_where_it_stands():
    of = group(task("A", duration_s=4), task("B", "A", duration_s=2), task("C", duration_s=1))
    it = Site()
    it.submit(of)
    it.complete("C")
    forecast = simulate_from(of, it.machine.progress(X), limits={}, now=it.now)
    assert (forecast.started_at, forecast.finished_at) == (0, 6)
    assert states(forecast) == {"A": "completed", "B": "completed", "C": "completed"}
    late = simulate_from(of, it.machine.progress(X), limits={}, now=10, durations={"B": 5})
    assert late.finished_at == 15


def test_what_can_never_go_on_is_told():
    with pytest.raises(SimulationStalled, match="PEXEC-0 wait for team:pm"):
        simulate(group(task("A", team="pm")), limits={})
    with pytest.raises(SimulationEndless):
        simulate(group(task("A"), task("B")), limits={}, max_events=2)


def test_the_same_goes_the_same_way_in_a_machine_driven_by_hand():
    of = group(*(task(f"T{i}", *([f"T{i - 2}"] if i > 1 else [])) for i in range(8)))
    seen = []
    simulate_many([Submission(X, of)], limits={}, observe=lambda *decision: seen.append(decision))
    machine = Machine()
    assert all(machine.handle(events, now) == decision for now, events, decision in seen)
    assert len(seen) > 4
