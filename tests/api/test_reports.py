"""The report in its published shape, with sums that are right, in every format."""

import csv
import io
import json
from xml.etree import ElementTree as ET

import pytest

from tests.api.records import finished

pytestmark = pytest.mark.django_db


@pytest.fixture
def execution(author):
    return finished(author)


def report_of(client, execution, **query):
    return client.get(f"/api/v1/executions/{execution.public_id}/report/", query)


def test_the_report_has_the_published_names_and_the_right_sums(as_viewer, execution):
    run = report_of(as_viewer, execution).json()["parallel_execution"]
    assert (run["id"], run["status"], run["outcome"]) == (
        execution.public_id,
        "completed",
        "partial",
    )
    assert run["config"] == {
        "max_concurrency": 5,
        "fail_fast": False,
        "timeout_ms": 3600000,
        "failure_strategy": "continue_on_failure",
        "max_retries": 2,
        "critical_first": False,
    } | {k: run["config"][k] for k in run["config"].keys() & {"on_critical_failure", "limits"}}
    assert run["tasks"] == {
        "total": 5,
        "completed": 3,
        "failed": 1,
        "skipped": 1,
        "cancelled": 0,
        "ids": ["TASK-001", "TASK-002", "TASK-003", "TASK-004", "TASK-005"],
    }
    assert run["results"]["TASK-001"] == {
        "status": "completed",
        "started_at": "2024-01-15T11:00:00Z",
        "completed_at": "2024-01-15T11:30:00Z",
        "duration_ms": 1_800_000,
        "attempts": 1,
        "result": {"n": 1},
    }
    assert run["results"]["TASK-003"] == {
        "status": "failed",
        "started_at": "2024-01-15T11:00:00Z",
        "failed_at": "2024-01-15T11:20:00Z",
        "duration_ms": 1_200_000,
        "attempts": 1,
        "error": "Timeout exceeded",
        "reason": "timeout",
    }
    assert run["results"]["TASK-005"] == {
        "status": "skipped",
        "attempts": 0,
        "skipped_because_of": "TASK-003",
    }
    timing = run["timing"]
    assert timing["total_duration_ms"] == 2_700_000
    assert timing["sequential_estimate_ms"] == 7_195_000
    assert timing["speedup_factor"] == 2.66
    assert (timing["lower_bound_ms"], timing["efficiency"]) == (2_700_000, 1.0)
    assert run["resources"]["peak_concurrency"] == 4
    assert run["resources"]["avg_concurrency"] == 2.7
    assert [b["limit"] for b in run["resources"]["binding_limits"]] == ["team:dev_team"]


def test_a_failure_is_reported_with_its_attempts_and_what_it_took_along(as_viewer, execution):
    (failure,) = report_of(as_viewer, execution).json()["parallel_execution"]["failure_report"]
    assert failure["task_id"] == "TASK-003"
    assert failure["skipped_because_of_it"] == ["TASK-005"]
    (attempt,) = failure["attempts"]
    assert (attempt["number"], attempt["exit_code"]) == (1, 1)
    assert attempt["failed_at"] == "2024-01-15T11:20:00Z"
    assert attempt["output_tail"] == "hello <b>\n"


def test_every_format_comes_as_what_it_says(as_viewer, execution):
    rows = list(csv.DictReader(io.StringIO(report_of(as_viewer, execution, format="csv").text)))
    assert [row["status"] for row in rows].count("completed") == 3
    suite = ET.fromstring(report_of(as_viewer, execution, format="junit").text).find("testsuite")
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("5", "1", "1")
    assert "Completed with 1 failure" in report_of(as_viewer, execution, format="markdown").text
    page = report_of(as_viewer, execution, format="html")
    assert "hello &lt;b&gt;" in page.text
    assert page["Content-Disposition"].startswith("attachment")
    trace = json.loads(report_of(as_viewer, execution, format="trace").text)
    assert len({e["tid"] for e in trace["traceEvents"] if e["ph"] == "X"}) == 4


def test_an_unknown_format_is_a_problem(as_viewer, execution):
    answer = report_of(as_viewer, execution, format="docx")
    assert answer.status_code == 400
    assert "no format 'docx'" in answer.json()["detail"]


def test_the_timeline_lists_attempts_in_epoch_seconds(as_viewer, execution):
    rows = as_viewer.get(f"/api/v1/executions/{execution.public_id}/timeline/").json()
    assert rows[-1] == {
        "id": "TASK-004",
        "started_at": 1705316405.0,
        "finished_at": 1705317900.0,
        "status": "completed",
        "attempt": 1,
    }


def test_output_is_read_on_from_where_one_was(as_viewer, execution):
    address = f"/api/v1/executions/{execution.public_id}/task-runs/TASK-001/output/"
    first = as_viewer.get(address).json()
    assert first == {
        "attempt": 1, "offset": 0, "next": 10, "text": "hello <b>\n", "is_over": True
    }  # fmt: skip
    assert as_viewer.get(address, {"after": 6}).json()["text"] == "<b>\n"
    assert as_viewer.get(address, {"after": 999}).json()["text"] == ""
    assert as_viewer.get(address, {"after": "x"}).status_code == 400
    assert as_viewer.get(address, {"attempt": 2}).status_code == 404
