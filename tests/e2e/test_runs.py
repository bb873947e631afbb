"""Real runs on a real site: what was promised of them is read back from reports and rows."""

import itertools
import json
import urllib.error
from datetime import datetime

import pytest
import yaml

from executions import specs
from executions.management.commands.up import DEMO
from tests.e2e.conftest import SiteClient
from tests.invariants import AttemptRecord, assert_valid

pytestmark = pytest.mark.processes
LIMITS = {
    "team:pm_team": 3,
    "team:dev_team": 10,
    "team:design_team": 2,
    "task_type:api_calls": 5,
    "task_type:heavy_computation": 2,
    "task_type:light_tasks": 20,
    "resource:staging-db": 1,
    "resource:build-licence": 3,
}
ATTEMPTS = """
    select t.task_id, a.number, a.state, a.dispatched_at, a.released_at, a.started_at,
           a.finished_at, a.worker, a.reason, t.state as task_state
    from executions_attempt a join executions_taskrun t on t.id = a.task_run_id
    where a.execution_id = ?
"""


def epoch(text):
    return text and datetime.fromisoformat(f"{text}+00:00").timestamp()


def attempt_log(site: SiteClient, public_id):
    return [
        AttemptRecord(
            execution=public_id,
            task=row["task_id"],
            number=row["number"],
            state=row["state"],
            worker=row["worker"],
            reason=row["reason"],
            **{
                name: epoch(row[name])
                for name in ("dispatched_at", "released_at", "started_at", "finished_at")
            },
        )
        for row in site.rows(ATTEMPTS, int(public_id.removeprefix("PEXEC-")))
    ]


def sleeping(name, seconds, **task):
    return {"id": name, "runner": "sleep", "payload": {"seconds": seconds}, **task}


def test_the_demo_keeps_every_promise(site, session):
    spec = yaml.safe_load(DEMO.read_text())
    public_id = site.submit(spec)
    frames = list(site.frames(public_id, session))
    assert frames[0]["type"] == "snapshot"
    numbers = [frame["seq"] for frame in frames]
    assert all(later - earlier in (0, 1) for earlier, later in itertools.pairwise(numbers))
    assert sum(frames[-1]["execution"]["waited"].values()) > 0
    report = site.report(public_id)
    group = specs.group_of(specs.parse(json.dumps(spec), format="json"))
    log = attempt_log(site, public_id)
    assert_valid(log, {public_id: group}, limits=LIMITS, slack_s=0.01)
    assert report["outcome"] == "partial"
    assert report["tasks"]["failed"] == 1
    assert report["tasks"]["skipped"] == 1
    assert report["results"]["TEST-FLAKY"]["attempts"] == 3
    assert report["results"]["IMPORT-1"]["error"] == "Timeout exceeded"
    assert report["failure_report"][0]["skipped_because_of_it"] == ["IMPORT-2"]
    last = {row.task: row for row in sorted(log, key=lambda row: row.number)}
    worked_ms = sum(1000 * (row.finished_at - row.started_at) for row in last.values())
    assert report["timing"]["sequential_estimate_ms"] == pytest.approx(worked_ms, abs=30)
    assert report["timing"]["lower_bound_ms"] <= report["timing"]["total_duration_ms"]


def test_the_published_sample_reports_as_published(site, session):
    """Four tasks, minutes scaled to tenths of seconds."""
    report = site.finished(
        site.submit(
            {
                "name": "sample",
                "max_concurrency": 5,
                "tasks": [
                    sleeping("TASK-001", 3.0),
                    sleeping("TASK-002", 4.5),
                    sleeping("TASK-003", 9.0, timeout_ms=2000),
                    sleeping("TASK-004", 2.49),
                ],
            }
        ),
        session,
    )
    assert set(report) >= {
        "id", "status", "config", "tasks", "results", "timing", "resources", "failure_report",
    }  # fmt: skip
    assert report["status"] == "completed"
    assert {k: report["tasks"][k] for k in ("total", "completed", "failed")} == {
        "total": 4,
        "completed": 3,
        "failed": 1,
    }
    failed = report["results"]["TASK-003"]
    assert (failed["status"], failed["error"]) == ("failed", "Timeout exceeded")
    assert set(failed) >= {"started_at", "failed_at", "duration_ms", "attempts"}
    assert report["resources"]["peak_concurrency"] == 4
    assert report["timing"]["sequential_estimate_ms"] == pytest.approx(11_990, rel=0.02)
    took_ms = report["timing"]["total_duration_ms"]  # 4.5 s, and what a busy machine adds
    assert took_ms >= 4500
    assert report["timing"]["speedup_factor"] == pytest.approx(11_990 / took_ms, rel=0.02)


@pytest.mark.parametrize("width", [1, 2, 5])
def test_max_concurrency_bounds_a_run(site, session, width):
    tasks = [sleeping(f"T{n}", 0.2) for n in range(6)]
    report = site.finished(
        site.submit({"name": f"width {width}", "max_concurrency": width, "tasks": tasks}), session
    )
    assert report["resources"]["peak_concurrency"] == width
    assert report["timing"]["total_duration_ms"] >= 1000 * 0.2 * -(-6 // width)


def test_fail_fast_stops_the_rest(site, session):
    report = site.finished(
        site.submit(
            {
                "name": "fail fast",
                "failure_strategy": "fail_fast",
                "tasks": [
                    {
                        "id": "BAD",
                        "runner": "sleep",
                        "payload": {"seconds": 0.3, "fail_with": "no"},
                    },
                    {"id": "LONG", "runner": "shell", "payload": {"command": "sleep 60"}},
                    sleeping("NEXT", 1, depends_on=["LONG"]),
                ],
            }
        ),
        session,
    )
    states = {task: result["status"] for task, result in report["results"].items()}
    assert report["status"] == "failed"
    assert states["BAD"] == "failed"
    assert states["LONG"] == "cancelled"
    assert report["tasks"]["skipped"] == 1


def test_only_the_failed_task_is_retried(site, session):
    report = site.finished(
        site.submit(
            {
                "name": "retry",
                "failure_strategy": "retry_failed",
                "tasks": [
                    {"id": "A", "runner": "sleep", "payload": {"fail_with": "x", "fail_times": 1}},
                    {"id": "B", "runner": "noop"},
                ],
            }
        ),
        session,
    )
    assert report["outcome"] == "success"
    assert {t: r["attempts"] for t, r in report["results"].items()} == {"A": 2, "B": 1}


def test_two_executions_share_a_team_limit(site, session):
    def spec(name):
        tasks = [sleeping(f"T{n}", 0.25, team="pm_team") for n in range(6)]
        return {"name": name, "max_concurrency": 6, "tasks": tasks}

    ids = [site.submit(spec(name)) for name in ("one", "two")]
    for public_id in ids:
        assert site.finished(public_id, session)["outcome"] == "success"
    groups = {
        public_id: specs.group_of(specs.parse(json.dumps(spec("x")), format="json"))
        for public_id in ids
    }
    log = [row for public_id in ids for row in attempt_log(site, public_id)]
    assert_valid(log, groups, limits=LIMITS, slack_s=0.01)
    held = sorted([(r.dispatched_at, 1) for r in log] + [(r.released_at, -1) for r in log])
    peak = used = 0
    for _, step in held:
        used += step
        peak = max(peak, used)
    assert peak == 3


@pytest.mark.parametrize(
    ("change", "place", "words"),
    [
        ({"depends_on": ["B"]}, "tasks[0].depends_on", "A → B → A"),
        ({"depends_on": ["NONE"]}, "tasks[0].depends_on[0]", "NONE"),
        ({"id": "B"}, "tasks[1].id", "B"),
        ({"team": "ghosts"}, "tasks[0].team", "ghosts"),
        ({"required_resources": [{"id": "r", "amount": 9}]}, "tasks[0].required_resources[0]", "9"),
    ],
)
def test_bad_specs_are_refused_with_their_places(site, change, place, words):
    before = site.rows("select count(*) n from executions_execution")[0]["n"]
    spec = {
        "name": "bad",
        "resources": {"r": {"capacity": 2}},
        "tasks": [{"id": "A", **change}, {"id": "B", "depends_on": ["A"]}],
    }
    if change.get("id") == "B":
        spec["tasks"][1].pop("depends_on")
    with pytest.raises(urllib.error.HTTPError) as refused:
        site.submit(spec)
    text = refused.value.read().decode()
    assert refused.value.code in (400, 422)
    assert refused.value.headers["Content-Type"].startswith("application/problem+json")
    assert place in text
    assert words in json.loads(text.replace("\\u2192", "→")).__str__()
    assert site.rows("select count(*) n from executions_execution")[0]["n"] == before
    assert not site.rows("select * from executions_resource where name = 'r'")
