"""The report's numbers, against hand calculation and against what must always hold."""

from hypothesis import given
from hypothesis import strategies as st

from executions.scheduling.figures import AttemptRecord, figures, usage_steps
from executions.scheduling.model import AttemptState, Reason, Strategy
from executions.scheduling.needs import MAX_CONCURRENCY
from executions.scheduling.simulation import simulate
from tests.scheduling.builders import alone, group, site, task, units

MIN = 60.0


def attempt(task_id, start, finish, number=1, *, dispatched=None, released=None):
    return AttemptRecord(
        task_id,
        number,
        start if dispatched is None else dispatched,
        start,
        finish,
        finish if released is None else released,
        AttemptState.COMPLETED,
    )


def reckon(of, attempts, *, end, limits=None, waits=None, start=0.0, waited=None):
    return figures(
        of,
        attempts,
        started_at=start,
        completed_at=end,
        limits=limits or {},
        alone=waits or {},
        waited=waited or {},
    )


def test_the_published_sample_comes_to_its_own_sum():
    of = group(*(task(f"TASK-00{i}") for i in range(1, 5)), max_concurrency=5)
    eleven = 1705316400.0
    log = [
        attempt("TASK-001", eleven, eleven + 30 * MIN),
        attempt("TASK-002", eleven, eleven + 45 * MIN),
        attempt("TASK-003", eleven, eleven + 20 * MIN),
        attempt("TASK-004", eleven + 5 * MIN, eleven + 5 * MIN + 1495),
    ]
    found = reckon(of, log, start=eleven, end=eleven + 45 * MIN)
    assert found.sequential_estimate_ms == 7_195_000
    assert found.total_duration_ms == 2_700_000
    assert found.speedup_factor == 2.66
    assert found.peak_concurrency == 4
    assert found.avg_concurrency == 2.7
    assert found.lower_bound_ms == 2_700_000
    assert found.efficiency == 1.0


def test_only_the_last_attempt_counts_in_the_sequential_estimate():
    log = [attempt("A", 0, 5, 1), attempt("A", 6, 8, 2)]
    found = reckon(group(task("A")), log, end=8)
    assert found.sequential_estimate_ms == 2000
    assert found.lower_bound_ms == 7000


def test_held_time_counts_from_admission_to_release():
    log = [attempt("A", 1, 3, dispatched=0, released=4)]
    found = reckon(group(task("A")), log, end=4)
    assert found.avg_concurrency == 1.0
    assert found.sequential_estimate_ms == 2000


def test_a_slot_handed_over_at_one_instant_is_never_held_twice():
    found = reckon(group(task("A"), task("B")), [attempt("A", 0, 1), attempt("B", 1, 2)], end=2)
    assert found.peak_concurrency == 1


def test_an_attempt_that_never_began_ran_no_time():
    log = [AttemptRecord("A", 1, 0.0, None, None, 2.0, AttemptState.CANCELLED)]
    found = reckon(group(task("A")), log, end=2)
    assert (found.sequential_estimate_ms, found.avg_concurrency) == (0, 1.0)


def test_a_run_in_progress_counts_up_to_now():
    log = [AttemptRecord("A", 1, 0.0, 1.0, None, None, AttemptState.RUNNING)]
    found = reckon(group(task("A")), log, end=5)
    assert found.sequential_estimate_ms == 4000
    assert found.avg_concurrency == 1.0


def test_a_run_without_length_divides_by_nothing():
    found = reckon(group(task("A")), [], end=0)
    assert (found.speedup_factor, found.efficiency, found.avg_concurrency) == (0, 0, 0)


def test_limits_that_bound_are_told_by_their_public_names_and_holds_are_not():
    waits = {"PEXEC-1/max_concurrency": 2.0, "team:dev": 5.0, "paused": 1.0}
    waited = {"team:dev": 9.0, "PEXEC-1/team:dev": 3.0, "backoff": 2.0}
    found = reckon(group(task("A")), [attempt("A", 0, 10)], end=10, waits=waits, waited=waited)
    assert [limit.as_json() for limit in found.binding_limits] == [
        {"limit": "team:dev", "share": 0.5, "waited_s": 9.0},
        {"limit": "max_concurrency", "share": 0.2, "waited_s": 0.0},
        {"limit": "own/team:dev", "share": 0.0, "waited_s": 3.0},
    ]


def test_usage_over_time_counts_units_and_alone_as_all_of_them():
    of = group(task("A", needs=(units("db", 2),), team="dev"), task("B", needs=(alone("db"),)))
    limits = site(resource_db=3, team_dev=1)
    found = usage_steps(of, [attempt("A", 0, 2), attempt("B", 2, 3)], limits=limits, end=3)
    assert found["resource:db"].steps == ((0, 2), (2, 3), (3, 0))
    assert found["team:dev"].steps == ((0, 1), (2, 0))
    assert found[MAX_CONCURRENCY].steps == ((0, 1), (3, 0))
    assert found["resource:db"].capacity == 3


def test_a_limit_lowered_after_the_run_makes_no_bound_that_was_beaten():
    of = group(task("A", team="dev"), task("B", team="dev"))
    log = [attempt("A", 0, 4), attempt("B", 0, 4)]
    assert reckon(of, log, end=4, limits=site(team_dev=1)).efficiency == 1.0


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.sampled_from(["dev", None]), st.integers(0, 2)),
        min_size=1,
        max_size=12,
    ),
    st.integers(1, 4),
    st.integers(1, 3),
)
def test_what_was_simulated_never_beats_its_bound(rows, slots, team):
    tasks = [
        task(f"T{i}", *([f"T{i - back}"] if 0 < back <= i else []), team=t, duration_s=float(d))
        for i, (d, t, back) in enumerate(rows)
    ]
    of = group(*tasks, max_concurrency=slots, strategy=Strategy.RETRY_FAILED)
    limits = site(team_dev=team)
    result = simulate(of, limits=limits, outcomes={"T0": [Reason.ERROR]})
    log = [attempt(s.id, s.started_at, s.finished_at, s.attempts) for s in result.schedule]
    found = figures(
        of,
        log,
        started_at=result.started_at,
        completed_at=result.finished_at,
        limits=limits,
        alone=result.alone,
        waited=result.waited,
    )
    assert found.lower_bound_ms <= found.total_duration_ms
    assert found.efficiency <= 1.0
    assert found.peak_concurrency <= slots
    assert found.avg_concurrency <= slots
    assert found.sequential_estimate_ms == round(sum(s for s, _, _ in rows) * 1000)
