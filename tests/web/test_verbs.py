"""What people press: cancel, pause, resume, retry, run, delete, change a limit."""

import pytest
from django.utils import timezone

from executions.models import Command, Execution, TaskGroup, Team
from tests.web.conftest import task_is

VERBS = ("cancel", "pause", "resume")


@pytest.mark.parametrize("verb", VERBS)
def test_an_operator_asks_and_it_is_written_down(operator, execution, verb):
    answer = operator.post(f"/executions/{execution.public_id}/{verb}/")
    assert answer.headers["Location"] == f"/executions/{execution.public_id}/"
    command = Command.objects.get(execution=execution)
    assert (command.verb, command.by) == (verb, operator.user)


@pytest.mark.parametrize("verb", VERBS)
def test_a_viewer_may_not(viewer, execution, verb):
    assert viewer.post(f"/executions/{execution.public_id}/{verb}/").status_code == 403
    assert not Command.objects.exists()


@pytest.mark.parametrize("verb", VERBS)
def test_for_a_stranger_there_is_nothing_to_ask(stranger, execution, verb):
    assert stranger.post(f"/executions/{execution.public_id}/{verb}/").status_code == 404


def test_a_link_changes_nothing(operator, execution):
    assert operator.get(f"/executions/{execution.public_id}/cancel/").status_code == 405


def test_an_unknown_verb_is_not_found(operator, execution):
    assert operator.post(f"/executions/{execution.public_id}/explode/").status_code == 404


def test_what_is_over_is_not_cancelled_again_but_said(operator, execution):
    Execution.objects.filter(pk=execution.pk).update(state="completed")
    answer = operator.post(f"/executions/{execution.public_id}/pause/", follow=True)
    assert "is completed" in answer.content.decode()
    assert not Command.objects.exists()


def test_running_a_group_leads_to_its_execution(operator, group, redis_server):
    answer = operator.post(f"/groups/{group.pk}/run/")
    execution = Execution.objects.get()
    assert answer.headers["Location"] == f"/executions/{execution.public_id}/"
    assert execution.submitted_by == operator.user


def test_a_viewer_runs_nothing(viewer, group):
    assert viewer.post(f"/groups/{group.pk}/run/").status_code == 403


def test_deleting_a_group_keeps_its_executions(author, execution):
    author.post(f"/groups/{execution.group_id}/delete/")
    assert not TaskGroup.objects.exists()
    execution.refresh_from_db()
    assert execution.group is None


def test_an_operator_deletes_nothing(operator, group):
    assert operator.post(f"/groups/{group.pk}/delete/").status_code == 403


def test_who_may_changes_a_limit_and_history_tells_it(site, redis_server, admin_client):
    admin_client.post("/limits/team/dev_team/", {"value": "4", "reason": "night"})
    assert Team.objects.get(name="dev_team").max_parallel == 4
    text = admin_client.get("/limits/").content.decode()
    assert "night" in text


@pytest.mark.parametrize(
    "value", ["", "-1", "x", "1.5", "99999999", "\u0664", f"{0:09}99999999999", "9" * 5000]
)
def test_a_limit_that_is_no_number_is_refused(site, admin_client, value):
    admin_client.post("/limits/team/dev_team/", {"value": value})
    assert Team.objects.get(name="dev_team").max_parallel == 10


def test_an_operator_changes_no_limit(operator):
    assert operator.post("/limits/team/dev_team/", {"value": "1"}).status_code == 403


@pytest.mark.parametrize("place", ["team/nobody", "planet/dev_team"])
def test_an_unknown_limit_is_not_found(admin_client, site, place):
    assert admin_client.post(f"/limits/{place}/", {"value": "1"}).status_code == 404


def ended(execution):
    task_is(execution, "build", state="failed", error="no", reason="error")
    task_is(execution, "test", state="skipped", skipped_because_of="build")
    now = timezone.now()
    Execution.objects.filter(pk=execution.pk).update(
        state="failed", outcome="failure", started_at=now, completed_at=now
    )


@pytest.mark.parametrize(
    ("ticked", "tried"),
    [
        ({"only": ["build"]}, ["build"]),
        ({"only": ["build"], "with_skipped": "1"}, ["build", "test"]),
    ],
)
def test_retry_these_tries_again_what_is_ticked(operator, execution, ticked, tried):
    ended(execution)
    page = operator.get(f"/executions/{execution.public_id}/").content.decode()
    assert '<input type="checkbox" name="only" value="build" checked' in page
    address = f"/executions/{execution.public_id}/retry-failed/"
    answer = operator.post(address, {"chosen": "1", **ticked})
    again = Execution.objects.get(parent=execution)
    assert answer.headers["Location"] == f"/executions/{again.public_id}/"
    assert list(again.task_runs.values_list("task_id", flat=True)) == tried


def test_retry_these_with_nothing_ticked_says_so(operator, execution):
    ended(execution)
    address = f"/executions/{execution.public_id}/retry-failed/"
    answer = operator.post(address, {"chosen": "1"}, follow=True)
    assert "nothing to try again" in answer.content.decode()
    assert not Execution.objects.filter(parent=execution).exists()
