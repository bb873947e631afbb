"""What-if against reality: a real run replayed, and a second one under other limits foretold."""

import pytest

from bench.whatif import FIRST, SECOND, sleepers

pytestmark = pytest.mark.processes
TASKS = 36


def seconds(report):
    return report["timing"]["total_duration_ms"] / 1000


def test_a_replay_gives_the_run_and_foretells_another(site, session):
    first_id = site.submit(sleepers(1, FIRST, TASKS))
    first = site.finished(first_id, session)
    binding = {row["limit"] for row in first["resources"]["binding_limits"] if row["share"]}
    assert len(binding) >= 2, "the group is to be held up by several limits"
    address = f"/api/v1/executions/{first_id}/what-if/"
    same = site.call("POST", address)
    assert same["real_s"] == pytest.approx(seconds(first), abs=0.002)
    assert abs(same["error"]) <= 0.02
    assert same["makespan_s"] == same["replayed_s"]
    told = site.call("POST", address, {"set": SECOND})
    second = site.finished(site.submit(sleepers(1, SECOND, TASKS)), session)
    assert told["saves_s"] > 0
    assert told["makespan_s"] == pytest.approx(seconds(second), rel=0.05)
