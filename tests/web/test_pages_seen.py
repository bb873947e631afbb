"""Every page: works, stranger, nobody, bad id, wrong method."""

import pytest
from django.utils import timezone

from executions import services
from executions.models import Attempt, Demand, TaskGroup, Team
from tests.web.conftest import spec, task_is

PAGES = [
    "/",
    "/executions/",
    "/groups/",
    "/limits/",
    "/groups/{group}/",
    "/groups/{group}/spec.yaml",
    "/executions/{id}/",
    "/executions/{id}/?tab=report",
    "/executions/{id}/?tab=timeline&state=failed",
    "/executions/{id}/report/",
    "/executions/{id}/report/csv/",
    "/executions/{id}/graph.json",
    "/executions/{id}/tasks/build/",
]
OBJECTS = [page for page in PAGES if "{" in page]


def address(page, execution):
    return page.format(id=execution.public_id, group=execution.group_id)


@pytest.mark.parametrize("page", PAGES)
def test_a_viewer_sees_it(page, viewer, execution):
    assert viewer.get(address(page, execution)).status_code == 200


@pytest.mark.parametrize("page", PAGES)
def test_nobody_is_sent_to_sign_in(page, client, execution):
    answer = client.get(address(page, execution))
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/login/")


@pytest.mark.parametrize("page", OBJECTS)
def test_a_stranger_finds_nothing(page, stranger, execution):
    assert stranger.get(address(page, execution)).status_code == 404


@pytest.mark.parametrize("page", OBJECTS)
def test_what_belongs_to_another_team_does_not_exist(page, viewer, execution):
    from executions.models import Team

    TaskGroup.objects.get(pk=execution.group_id).owning_teams.add(Team.objects.get(name="dev_team"))
    assert viewer.get(address(page, execution)).status_code == 404


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_only_read(page, author, execution):
    assert author.post(address(page, execution)).status_code == 405


@pytest.mark.parametrize(
    "public_id",
    ["PEXEC-1", "PEXEC-", "PEXEC-x", "PEXEC-99999999999999999999999", "1", "PEXEC-\u0661"],
)
def test_a_bad_id_is_not_found(viewer, public_id):
    assert viewer.get(f"/executions/{public_id}/").status_code == 404


@pytest.mark.parametrize(
    "query",
    [
        "q=%00",
        "group=9999999999999999999999",
        "page=x",
        "q=PEXEC-99999999999999999999999",
    ],
)
def test_odd_filters_are_harmless(viewer, execution, query):
    assert viewer.get(f"/executions/?{query}").status_code == 200
    assert viewer.get(f"/executions/{execution.public_id}/?{query}&task=none").status_code == 200


def test_a_state_that_is_none_is_a_fault_and_no_empty_list(viewer, execution):
    for page in ("/executions/", f"/executions/{execution.public_id}/"):
        answer = viewer.get(f"{page}?state=completed,bogus")
        assert answer.status_code == 400
        assert "no state &#x27;bogus&#x27;; there are " in answer.content.decode()
        assert viewer.get(f"{page}?state=completed,failed").status_code == 200


def test_a_failed_task_is_told_first_with_what_it_skipped(viewer, execution):
    task_is(
        execution,
        "build",
        state="failed",
        reason="timeout",
        error="Timeout exceeded",
        finished_at=timezone.now(),
    )
    task_is(execution, "test", state="skipped", skipped_because_of="build")
    text = viewer.get(f"/executions/{execution.public_id}/").content.decode()
    assert text.index("Failure report") < text.index('id="tasks-view"')
    assert "timeout: Timeout exceeded" in text
    assert 'skipped because of it: <a href="?tab=tasks&amp;task=test"' in text


HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{ 7*7 }}"


def test_other_peoples_text_is_only_text(viewer, execution):
    task_is(
        execution,
        "build",
        title=HOSTILE,
        state="failed",
        reason="error",
        error=HOSTILE,
        finished_at=timezone.now(),
        payload={"command": HOSTILE},
        result={"a": HOSTILE},
    )
    type(execution).objects.filter(pk=execution.pk).update(name=HOSTILE, error=HOSTILE)
    for page in (
        "/",
        "/executions/",
        "/executions/{id}/",
        "/executions/{id}/tasks/build/",
        "/executions/{id}/?tab=report",
    ):
        text = viewer.get(address(page, execution)).content.decode()
        assert "<script>alert" not in text
        assert "<img src=x" not in text
        assert "49" not in text.split("{{")[0][-3:]


def test_progress_is_drawn_without_a_script(viewer, execution):
    task_is(execution, "build", state="completed")
    execution.counts = {"completed": 1, "blocked": 1}
    execution.save()
    page = viewer.get("/executions/").content.decode()
    assert '<rect class="fill-completed" x="0.0" y="0" width="50.0" height="10"></rect>' in page
    assert "fill-blocked" not in page


def test_who_holds_what_a_task_waits_for_is_named_to_those_who_may_see_it(viewer, execution):
    theirs = services.execution_submit(user=None, spec=spec("theirs", {"id": "SECRET-PLAN"}))
    run = theirs.task_runs.get()
    Attempt.objects.create(
        task_run=run,
        execution=theirs,
        number=1,
        token="t",
        state="running",
        dispatched_at=run.since,
    )
    for keys in (execution.task_runs.all(), theirs.task_runs.all()):
        keys.update(team="dev_team", state="queued")
    demand = execution.task_runs.get(task_id="build").demand
    found = {"keys": ["team:dev_team"], "queued": 1}
    Demand.objects.update_or_create(execution=execution, number=demand, defaults=found)
    panel = f"/executions/{execution.public_id}/tasks/build/"
    assert "SECRET-PLAN" in viewer.get(panel).content.decode()
    owned = TaskGroup.objects.create(name="owned")
    owned.owning_teams.add(Team.objects.get(name="dev_team"))
    type(theirs).objects.filter(pk=theirs.pk).update(group=owned)
    text = viewer.get(panel).content.decode()
    assert "a task you may not see" in text
    assert "SECRET-PLAN" not in text
    assert theirs.public_id not in text
