"""Old executions go by age and count; what is not over, or may still be referred to, stays."""

import json
import threading
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone

from executions import services
from executions.dispatch.chores import Chores
from executions.models import Attempt, AttemptOutput, Command, Execution, TaskRun
from executions.services import retention
from executions.services.retention import Keep
from tests.api.records import finished

pytestmark = pytest.mark.django_db(transaction=True)


def chief():
    return get_user_model().objects.get_or_create(username="chief", is_superuser=True)[0]


@pytest.fixture
def runs(redis_server):
    """Three executions that ended 30, 20 and 10 days ago, the oldest first."""
    user = chief()
    found = [finished(user) for _ in range(3)]
    for days, execution in zip((30, 20, 10), found, strict=True):
        ended(execution, days)
    return found


def ended(execution, days_ago):
    Execution.objects.filter(pk=execution.pk).update(
        completed_at=timezone.now() - timedelta(days=days_ago)
    )


def left():
    return list(Execution.objects.order_by("pk").values_list("pk", flat=True))


def test_nothing_goes_unless_somebody_says_how_much_stays(runs, settings):
    assert retention.configured().is_off
    retention.prune_some()
    assert left() == [run.pk for run in runs]


def test_what_ended_long_ago_goes_with_all_that_belongs_to_it(runs):
    Command.objects.create(
        execution=runs[0], verb="cancel", at=timezone.now(), attempt=Attempt.objects.first()
    )
    assert services.executions_prune(Keep(days=15)) == [run.public_id for run in runs[:2]]
    assert left() == [runs[2].pk]
    for rows in (TaskRun.objects, Attempt.objects):
        assert set(rows.values_list("execution", flat=True)) == {runs[2].pk}
    assert AttemptOutput.objects.count() == Attempt.objects.count()
    assert not Command.objects.exists()


def test_the_newest_stay(runs):
    services.executions_prune(Keep(runs=1))
    assert left() == [runs[2].pk]


def test_a_round_removes_no_more_than_its_share_the_oldest_first(runs, settings):
    settings.PEXEC_KEEP_RUNS = 1
    retention.executions_prune(retention.configured(), limit=1)
    assert left() == [run.pk for run in runs[1:]]


@pytest.mark.parametrize("rows", [1, 2, 100])
def test_rows_go_a_few_at_a_time(runs, monkeypatch, rows):
    monkeypatch.setattr(retention, "ROWS_AT_ONCE", rows)
    services.executions_prune(Keep(days=25))
    assert left() == [run.pk for run in runs[1:]]
    assert TaskRun.objects.count() == 10


@pytest.mark.parametrize("state", ["pending", "running", "paused", "cancelling"])
def test_what_is_not_over_stays_however_old(runs, state):
    Execution.objects.filter(pk=runs[0].pk).update(state=state)
    services.executions_prune(Keep(days=15, runs=1))
    assert left() == [runs[0].pk, runs[2].pk]


def test_what_a_retry_in_progress_may_refer_to_stays(runs):
    """Also what that one retried itself."""
    Execution.objects.filter(pk=runs[1].pk).update(parent=runs[0])
    open_one = services.execution_retry_failed(execution=runs[1], user=chief())
    services.executions_prune(Keep(days=1))
    assert left() == [runs[0].pk, runs[1].pk, open_one.pk]
    Execution.objects.filter(pk=open_one.pk).update(state="completed", completed_at=timezone.now())
    services.executions_prune(Keep(days=1))
    assert left() == [open_one.pk]
    assert Execution.objects.get().parent is None


def test_each_is_told_to_a_file_before_it_goes(runs, tmp_path):
    Command.objects.create(execution=runs[0], verb="cancel", at=timezone.now())
    services.executions_prune(Keep(days=25, export_to=tmp_path / "old"))
    (path,) = (tmp_path / "old").iterdir()
    assert path.name == f"{runs[0].public_id}.json"
    told = json.loads(path.read_text())
    assert told["parallel_execution"]["results"]["TASK-003"]["error"] == "Timeout exceeded"
    assert [command["verb"] for command in told["commands"]] == ["cancel"]


def test_what_cannot_be_told_does_not_go(runs, tmp_path):
    (tmp_path / "old").write_text("a file, no directory")
    with pytest.raises(OSError, match="old"):
        services.executions_prune(Keep(days=25, export_to=tmp_path / "old"))
    assert left() == [run.pk for run in runs]


def test_a_removal_that_was_interrupted_keeps_the_whole_report(runs, tmp_path, monkeypatch):
    remove = retention._remove

    def half(execution):
        AttemptOutput.objects.filter(attempt__execution=execution).delete()
        Attempt.objects.filter(execution=execution).delete()
        raise InterruptedError

    monkeypatch.setattr(retention, "_remove", half)
    with pytest.raises(InterruptedError):
        services.executions_prune(Keep(days=25, export_to=tmp_path))
    monkeypatch.setattr(retention, "_remove", remove)
    services.executions_prune(Keep(days=25, export_to=tmp_path))
    assert left() == [run.pk for run in runs[1:]]
    told = json.loads((tmp_path / f"{runs[0].public_id}.json").read_text())
    assert told["parallel_execution"]["timing"]["sequential_estimate_ms"] > 0


def test_the_command_says_what_would_go_and_removes_nothing(runs, capsys):
    call_command("pexec", "prune", "--days", "15", "--dry-run")
    said = capsys.readouterr().out.splitlines()
    assert said == [runs[0].public_id, runs[1].public_id, "2 executions would be removed"]
    assert len(left()) == 3
    call_command("pexec", "prune", "--runs", "1")
    assert left() == [runs[2].pk]


def test_the_command_wants_to_know_how_much_stays(runs):
    with pytest.raises(CommandError, match="say how much to keep"):
        call_command("pexec", "prune")


def test_the_leader_does_its_chores_and_survives_one_that_fails(monkeypatch):
    done, leads = threading.Event(), threading.Event()
    asked = []

    def fails():
        raise OSError("for the test")

    monkeypatch.setattr(retention, "prune_some", done.set)
    monkeypatch.setattr(retention, "configured", fails)
    names = [f"executions.services.retention.{name}" for name in ("configured", "prune_some")]

    def is_leading():
        asked.append(1)
        return leads.is_set()

    chores = Chores(is_leading, names, every_s=0.01)
    chores.start()
    assert not done.wait(0.1)
    leads.set()
    assert done.wait(10)
    chores.stop()
    assert asked
