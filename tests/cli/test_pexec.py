"""The command line: forecasts, reports, exit codes. What needs a running site is tested apart."""

import json

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from executions.models import Command, Execution, TaskRun
from tests.api.records import finished

pytestmark = pytest.mark.django_db

SPEC = """
name: g
resources: {lic: {capacity: 2}}
tasks:
  - {id: A, duration_s: 3, team: dev_team, required_resources: [{id: lic, amount: 2}]}
  - {id: B, duration_s: 2, required_resources: [{id: lic}]}
  - {id: C, duration_s: 1, depends_on: [A], runner: shell, payload: {command: "true"}}
"""


@pytest.fixture
def spec(tmp_path):
    path = tmp_path / "g.yaml"
    path.write_text(SPEC)
    return str(path)


def pexec(capsys, *arguments: str) -> str:
    call_command("pexec", *arguments)
    return capsys.readouterr().out


def refused(*arguments: str) -> str:
    with pytest.raises(CommandError) as caught:
        call_command("pexec", *arguments)
    assert caught.value.returncode == 2
    return str(caught.value)


def test_simulate_tells_a_schedule_in_seconds_from_0(capsys, spec):
    found = json.loads(pexec(capsys, "simulate", spec, "--json"))
    assert (found["makespan_s"], found["lower_bound_s"]) == (5.0, 4.0)
    assert found["schedule"][0] == {
        "id": "A",
        "started_at": 0.0,
        "finished_at": 3.0,
        "status": "completed",
    }


def test_set_overrides_limits_and_runs_nothing(capsys, spec):
    wider = json.loads(pexec(capsys, "simulate", spec, "--json", "--set", "resource.lic=3"))
    assert wider["makespan_s"] == 4.0
    alone = pexec(capsys, "simulate", spec, "--set", "max_concurrency=1")
    assert alone.startswith("makespan 6.0 s")
    assert not Execution.objects.exists()


@pytest.mark.parametrize("verb", ["plan", "simulate"])
def test_a_limit_that_no_task_needs_is_told_beside_the_answer(capsys, spec, verb):
    needed = ("--set", "max_concurrency=2", "--set", "resource.lic=3", "--set", "workers=4")
    call_command("pexec", verb, spec, "--json", *needed, "--set", "team.nosuch=4")
    shown = capsys.readouterr()
    assert shown.err == "note: no task needs team:nosuch; setting it does nothing\n"
    assert json.loads(shown.out)["unneeded"] == ["team:nosuch"]


@pytest.mark.parametrize("text", ["x", "x=1", "team=1", "team.dev_team=many", "max_concurrency=0"])
def test_a_bad_set_is_bad_input(spec, text):
    assert text in refused("simulate", spec, "--set", text)


def test_every_bad_set_is_told(spec):
    told = refused("simulate", spec, "--set", "max_conc=3", "--set", "team.dev_team=x")
    assert "max_conc=3" in told
    assert "team.dev_team=x" in told


def test_a_bad_spec_is_told_with_every_fault(tmp_path):
    path = tmp_path / "bad.json"
    path.write_text('{"name": "g", "tasks": [{"id": "A", "depends_on": ["A", "Z"]}]}')
    told = refused("run", str(path)).splitlines()
    assert told == [
        f"{path}: tasks[0].depends_on[0]: 'A' depends on itself",
        f"{path}: tasks[0].depends_on[1]: no task 'Z'",
    ]
    assert not Execution.objects.exists()


def test_broken_text_and_no_file_are_bad_input(tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text("a: [")
    assert "is not a YAML spec" in refused("simulate", str(path))
    assert "No such file" in refused("run", str(tmp_path / "none.yaml"))


def test_a_report_comes_in_the_format_asked_for(capsys, admin_user):
    execution = finished(admin_user)
    told = json.loads(pexec(capsys, "report", execution.public_id))
    assert told["parallel_execution"]["tasks"]["completed"] == 3
    lines = pexec(capsys, "report", str(execution.pk), "--format", "text").splitlines()
    assert lines[0] == f"{execution.public_id} sample: Completed with 1 failure"
    assert "    skipped because of it: TASK-005" in lines


def test_retry_and_cancel_do_as_rest_does(capsys, admin_user):
    execution = finished(admin_user)
    retried = pexec(capsys, "retry-failed", execution.public_id).strip()
    assert Execution.objects.get(parent=execution).public_id == retried
    pexec(capsys, "cancel", retried, "--user", admin_user.username)
    assert Command.objects.get().by == admin_user
    assert "is completed" in refused("cancel", execution.public_id)
    assert "nothing to try again" in refused("retry-failed", retried)
    one = pexec(capsys, "retry-failed", execution.public_id, "--only", "TASK-003").strip()
    tried = TaskRun.objects.filter(execution__pk=one.removeprefix("PEXEC-"))
    assert [run.task_id for run in tried] == ["TASK-003"]
    assert "TASK-001" in refused("retry-failed", execution.public_id, "--only", "TASK-001")


def test_unknown_ids_and_users_are_bad_input(admin_user):
    assert "no execution 'PEXEC-1'" in refused("report", "PEXEC-1")
    assert "no execution 'x'" in refused("cancel", "x")
    execution = finished(admin_user)
    assert "no user 'nobody'" in refused("cancel", execution.public_id, "--user", "nobody")
