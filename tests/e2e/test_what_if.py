"""What-if against reality: a real run replayed, and a second one under other limits foretold."""

import pytest

from bench.whatif import FIRST, SECOND, sleepers

pytestmark = pytest.mark.processes
TASKS = 36
TRIES = 3
STANDSTILL_S = 0.2


def seconds(report):
    return report["timing"]["total_duration_ms"] / 1000


def held_up_s(site, public_id):
    """How much longer than it slept a task held its slot at most: the machine stood still."""
    held = site.rows(
        "select (julianday(a.released_at) - julianday(a.dispatched_at)) * 86400"
        " - json_extract(t.payload, '$.seconds') as late_s from executions_attempt a"
        " join executions_taskrun t on t.id = a.task_run_id where a.execution_id = ?",
        int(public_id.removeprefix("PEXEC-")),
    )
    return max(row["late_s"] for row in held)


def undisturbed(site, session, limits):
    """A run in which every task took what it says: id and report."""
    for _ in range(TRIES):
        public_id = site.submit(sleepers(1, limits, TASKS))
        report = site.finished(public_id, session)
        if held_up_s(site, public_id) < STANDSTILL_S:
            return public_id, report
    pytest.fail(f"in none of {TRIES} runs did every task take what it says")


def test_a_replay_gives_the_run_and_foretells_another(site, session):
    first_id, first = undisturbed(site, session, FIRST)
    binding = {row["limit"] for row in first["resources"]["binding_limits"] if row["share"]}
    assert len(binding) >= 2, "the group is to be held up by several limits"
    address = f"/api/v1/executions/{first_id}/what-if/"
    same = site.call("POST", address)
    assert same["real_s"] == pytest.approx(seconds(first), abs=0.002)
    assert abs(same["error"]) <= 0.02
    assert same["makespan_s"] == same["replayed_s"]
    told = site.call("POST", address, {"set": SECOND})
    _, second = undisturbed(site, session, SECOND)
    assert told["saves_s"] > 0
    assert told["makespan_s"] == pytest.approx(seconds(second), rel=0.05)
