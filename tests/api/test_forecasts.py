"""Plans and what-ifs over REST and on the command line: the same scheduler, nothing started."""

import json
from datetime import datetime, timedelta

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone

from executions import services, specs
from executions.models import Attempt, Command, Execution, TaskRun
from tests.api.conftest import spec
from tests.api.records import finished

pytestmark = pytest.mark.django_db

THREE = [{"id": name, "duration_s": 2} for name in "ABC"]


@pytest.fixture
def plan_address(as_author):
    body = spec(*THREE, max_concurrency=2)
    return as_author.post("/api/v1/task-groups/", body, format="json")["Location"] + "plan/"


def test_a_plan_forecasts_under_todays_limits(as_viewer, plan_address):
    plan = as_viewer.get(plan_address).json()
    assert plan["forecast"]["makespan_s"] == 4.0
    assert plan["lower_bound_s"] == 3.0
    assert plan["lower_bound_by"] == "max_concurrency"
    assert plan["durations"]["A"] == {"duration_s": 2.0, "source": "task"}
    assert sorted(task for group in plan["groups"] for task in group["tasks"]) == ["A", "B", "C"]


def test_a_plan_can_be_asked_under_other_limits(as_viewer, plan_address):
    answer = as_viewer.post(plan_address, {"set": {"max_concurrency": 3}}, format="json")
    assert answer.json()["forecast"]["makespan_s"] == 2.0
    assert as_viewer.get(plan_address).json()["forecast"]["makespan_s"] == 4.0


@pytest.mark.parametrize(
    "change", [{"x": 1}, {"team.": 1}, {"max_concurrency": "a"}, {"workers": -1}]
)
def test_a_bad_change_is_told_at_its_place(as_viewer, plan_address, change):
    answer = as_viewer.post(plan_address, {"set": change}, format="json")
    assert answer.status_code == 400
    assert answer.json()["faults"][0]["place"].startswith("set")


def test_what_if_replays_a_finished_run(as_viewer, author):
    execution = finished(author)
    address = f"/api/v1/executions/{execution.public_id}/what-if/"
    same = as_viewer.post(address).json()
    assert (same["real_s"], same["replayed_s"], same["makespan_s"]) == (2700.0, 2700.0, 2700.0)
    one = as_viewer.post(address, {"set": {"max_concurrency": 1}}, format="json").json()
    assert one["makespan_s"] == 7195.0
    assert one["changes"] == [{"limit": "max_concurrency", "from": 5, "to": 1}]
    assert not Command.objects.exists()
    assert Execution.objects.get().state == "completed"


def test_the_command_line_tells_the_same(capsys, author, tmp_path):
    execution = finished(author)
    call_command("pexec", "what-if", execution.public_id, "--set", "max_concurrency=1", "--json")
    assert json.loads(capsys.readouterr().out)["makespan_s"] == 7195.0
    call_command("pexec", "what-if", execution.public_id, "--set", "max_concurrency=1")
    assert "(really 2700.0 s; the replay is +0.0 % off the real run)" in capsys.readouterr().out
    path = tmp_path / "g.json"
    path.write_text(json.dumps(spec(*THREE, max_concurrency=2)))
    call_command("pexec", "plan", str(path))
    assert capsys.readouterr().out.startswith("forecast 4.0 s, no schedule can beat 3.0 s")


def test_what_would_never_end_is_said(tmp_path):
    path = tmp_path / "g.json"
    path.write_text(json.dumps(spec({"id": "A", "team": "dev_team"})))
    with pytest.raises(CommandError, match="would never end"):
        call_command("pexec", "simulate", str(path), "--set", "team.dev_team=0")


def test_the_end_of_an_open_run_is_expected(as_viewer, author):
    tasks = [{"id": name, "duration_s": 100} for name in "AB"]
    body = spec(*tasks, max_concurrency=1)
    execution = services.execution_submit(user=author, spec=specs.parse_data(body))
    address = f"/api/v1/executions/{execution.public_id}/forecast/"
    asked = timezone.now()
    told = datetime.fromisoformat(as_viewer.get(address).json()["expected_end_at"])
    assert 200 <= (told - asked).total_seconds() < 205


def test_a_quick_task_of_unknown_length_makes_the_others_no_quicker(as_viewer, author):
    body = spec({"id": "LONG", "duration_s": 200}, {"id": "UNKNOWN"}, max_concurrency=1)
    execution = services.execution_submit(user=author, spec=specs.parse_data(body))
    now = timezone.now()
    done = {"state": "completed", "started_at": now - timedelta(seconds=0.1), "finished_at": now}
    TaskRun.objects.filter(execution=execution, task_id="UNKNOWN").update(**done)
    address = f"/api/v1/executions/{execution.public_id}/forecast/"
    told = datetime.fromisoformat(as_viewer.get(address).json()["expected_end_at"])
    assert 200 <= (told - now).total_seconds() < 205


def test_nobody_can_tell_once_a_task_of_unknown_length_outlasts_all_that_is_known(
    as_viewer, author
):
    body = spec({"id": "QUICK"}, {"id": "SLOW"})
    execution = services.execution_submit(user=author, spec=specs.parse_data(body))
    runs = TaskRun.objects.filter(execution=execution)
    now = timezone.now()
    done = {"state": "completed", "started_at": now - timedelta(seconds=40), "finished_at": now}
    runs.filter(task_id="QUICK").update(**done)
    address = f"/api/v1/executions/{execution.public_id}/forecast/"
    for ran_s, can_tell in ((10, True), (50, False)):
        began = now - timedelta(seconds=ran_s)
        runs.filter(task_id="SLOW").update(state="running", started_at=began, attempts=1)
        Attempt.objects.update_or_create(
            task_run=runs.get(task_id="SLOW"), execution=execution, number=1, token="t",
            defaults={"state": "running", "dispatched_at": began, "started_at": began},
        )  # fmt: skip
        told = as_viewer.get(address).json()["expected_end_at"]
        assert (told is not None) is can_tell


def test_nothing_is_expected_of_a_run_that_is_over(as_viewer, author):
    address = f"/api/v1/executions/{finished(author).public_id}/forecast/"
    assert as_viewer.get(address).json() == {"expected_end_at": None}
