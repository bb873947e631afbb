"""What may run at once: every rule of admission, one by one."""

import pytest

from executions.scheduling.messages import LimitsChanged, WorkersChanged
from tests.scheduling.builders import (
    Site,
    X,
    Y,
    alone,
    group,
    run,
    site,
    states,
    task,
    times,
    units,
)


def test_independent_tasks_run_together_and_dependents_after():
    result = run(group(task("A"), task("B", duration_s=3), task("C", "A", "B")))
    assert times(result) == {"A": (0, 1), "B": (0, 3), "C": (3, 4)}
    assert result.makespan_s == 4


def test_no_more_than_max_concurrency_run_at_once():
    result = run(group(*(task(f"T{i}") for i in range(5)), max_concurrency=2))
    assert result.makespan_s == 3


@pytest.mark.parametrize("kind", ["team", "task_type"])
def test_a_full_team_or_type_holds_up_its_own_only(kind):
    tasks = [task(f"T{i}", **{kind: "dev"}) for i in range(4)]
    result = run(group(*tasks, task("free")), limits=site(**{f"{kind}_dev": 2}))
    assert result.makespan_s == 2
    assert times(result)["free"] == (0, 1)
    assert result.alone == {f"{kind}:dev": 1}


def test_exclusive_means_alone():
    of = group(
        task("A", needs=(alone("db"),), priority=60),
        task("B", needs=(units("db"),)),
        task("C", needs=(alone("db"),), priority=40),
    )
    assert times(run(of, limits=site(resource_db=5))) == {"A": (0, 1), "B": (1, 2), "C": (2, 3)}


def test_units_are_counted():
    tasks = [task(f"T{i}", needs=(units("gpu", 2),)) for i in range(3)]
    assert run(group(*tasks), limits=site(resource_gpu=4)).makespan_s == 2


def test_higher_priority_goes_first_and_is_inherited():
    of = group(
        task("low"),
        task("high", priority=80),
        task("needed", priority=1),
        task("urgent", "needed", priority=90),
        max_concurrency=1,
    )
    starts = times(run(of))
    assert sorted(starts, key=starts.get) == ["needed", "urgent", "high", "low"]


def test_rank_orders_equal_priorities_before_the_longer_chain():
    of = group(
        task("A"), task("B", duration_s=9), task("C"), max_concurrency=1, ranks={"C": 0, "A": 1}
    )
    starts = times(run(of))
    assert sorted(starts, key=starts.get) == ["C", "A", "B"]


def test_a_task_that_fits_passes_one_that_does_not():
    of = group(
        task("holder", needs=(units("db"),), duration_s=10),
        task("waits", needs=(units("db"),)),
        task("passes"),
        max_concurrency=2,
    )
    assert times(run(of, limits=site(resource_db=1)))["passes"] == (0, 1)


def test_a_wide_task_passed_over_too_long_gets_its_turn():
    """Tasks of unequal length never leave the resource idle by themselves."""
    narrow = [task(f"N{i}", needs=(units("db"),), duration_s=1 + i % 3 / 4) for i in range(60)]
    wide = task("W", "N0", needs=(alone("db"),), priority=60)
    limits = site(resource_db=3)
    result = run(group(*narrow, wide), limits=limits)
    assert 4 < times(result)["W"][0] < 10 < run(group(*narrow), limits=limits).makespan_s / 2
    assert result.waited["reserved"] > 0


def test_equal_executions_share_a_limit_evenly():
    it = Site(site(team_pm=4))
    of = group(*(task(f"T{i}", team="pm") for i in range(10)))
    it.submit(of, X)
    assert len(it.dispatched) == 4
    it.submit(of, Y)
    it.complete("T0", "T1")
    assert it.machine.holders("team:pm") == [(X, "T2"), (X, "T3"), (Y, "T0"), (Y, "T1")]


def test_a_higher_priority_takes_more_than_its_share():
    it = Site(site(team_pm=2))
    it.submit(group(*(task(f"T{i}", team="pm") for i in range(4))), X)
    it.submit(group(*(task(f"T{i}", team="pm", priority=60) for i in range(4))), Y)
    it.complete("T0", "T1")
    assert it.machine.holders("team:pm") == [(Y, "T0"), (Y, "T1")]


def test_a_limit_changed_holds_from_the_next_decision_on():
    it = Site(site(team_pm=2))
    it.submit(group(*(task(f"T{i}", team="pm") for i in range(6))))
    it.tell(LimitsChanged(site(team_pm=3)))
    assert it.dispatched == ["T2"]
    it.tell(LimitsChanged(site(team_pm=1)))
    it.complete("T0", "T1")
    assert it.dispatched == []
    assert it.machine.usage()["team:pm"] == (1, 1)
    it.complete("T2")
    assert it.dispatched == ["T3"]
    it.tell(LimitsChanged({}))
    it.complete("T3")
    assert it.dispatched == []
    assert it.keys() == [("team:pm",)]


def test_the_lower_of_the_groups_and_the_sites_limit_holds():
    of = group(*(task(f"T{i}", team="pm") for i in range(4)), limits={"team:pm": 1})
    it = Site(site(team_pm=3))
    it.submit(of)
    assert it.dispatched == ["T0"]
    assert it.keys() == [(f"{X}/team:pm",)]


def test_work_goes_to_the_worker_with_most_free_slots():
    it = Site()
    it.tell(WorkersChanged({"a": 1, "b": 3}))
    it.submit(group(*(task(f"T{i}") for i in range(5))))
    assert [i.worker for i in it.decision.instructions] == ["b", "b", "a", "b"]
    assert it.keys() == [("workers",)]
    it.tell(WorkersChanged({"a": 1}))
    it.complete("T0")
    assert it.dispatched == []
    assert it.machine.usage()["workers"] == (3, 1)


def test_the_critical_phase_runs_first_and_alone():
    of = group(task("base"), task("urgent", "base", priority=95), task("rest"), critical_first=True)
    assert times(run(of)) == {"base": (0, 1), "urgent": (1, 2), "rest": (2, 3)}


def test_waits_say_what_for_and_sum_to_the_waiting_time():
    of = group(
        task("A", team="pm", needs=(units("db"),), duration_s=4),
        task("B", team="pm", duration_s=2),
        task("C", team="pm", needs=(units("db"),)),
    )
    result = run(of, limits=site(team_pm=2, resource_db=1))
    assert result.waits["C"] == {"team:pm": 1, "resource:db": 3}
    assert result.alone == {"resource:db": 2}
    assert result.waited == {"team:pm": 2, "resource:db": 4}
    assert states(result)["C"] == "completed"
