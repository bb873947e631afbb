"""The dashboard without a script: filters, speed-up, why tasks wait, what failed."""

from datetime import timedelta

import pytest
from django.utils import timezone

from executions import services
from executions.models import Attempt, Demand, Execution, TaskGroup, TaskRun, Team
from executions.watching import dashboards
from tests.web.conftest import spec, task_is

NOW = timezone.now()


@pytest.fixture
def other(author, redis_server):
    """A second run, of another group, over since an hour."""
    group = services.group_save(spec=spec("weekly", {"id": "solo"}), user=author.user)
    made = services.execution_submit(user=author.user, group=group)
    Execution.objects.filter(pk=made.pk).update(
        state="completed", outcome="success", started_at=NOW - timedelta(hours=1), completed_at=NOW
    )
    return made


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", {"nightly", "weekly"}),
        ("hide=1", {"nightly"}),
        ("state=open", {"nightly"}),
        ("state=completed", {"weekly"}),
        ("q=WEEK", {"weekly"}),
        ("owner=author", {"nightly", "weekly"}),
        ("owner=nobody", set()),
        ("group={group}", {"nightly"}),
        ("group={group}&state=completed", set()),
    ],
)
def test_the_list_shows_what_is_asked_for(viewer, execution, other, query, shown):
    answer = viewer.get(f"/?{query.format(group=execution.group_id)}")
    assert {e.name for e in answer.context["executions"]} == shown


def test_speed_up_is_told_so_far_and_as_forecast(viewer, execution):
    start = NOW - timedelta(seconds=100)
    Execution.objects.filter(pk=execution.pk).update(
        state="completed", started_at=start, completed_at=NOW, plan={"makespan_s": 100}
    )
    ran = {"state": "completed", "started_at": start, "finished_at": NOW, "duration_s": 125}
    TaskRun.objects.filter(execution=execution).update(**ran)
    assert dashboards.speeds([Execution.objects.get()])[execution.pk] == {
        "work_s": pytest.approx(200),
        "estimate_s": 250,
    }
    assert (
        "2.0\N{MULTIPLICATION SIGN} / 2.5\N{MULTIPLICATION SIGN}"
        in viewer.get("/").content.decode()
    )
    assert (
        "2.0\N{MULTIPLICATION SIGN} / 2.5\N{MULTIPLICATION SIGN}"
        in viewer.get("/executions/").content.decode()
    )


def waits_for(execution, *keys, queued=3):
    Execution.objects.filter(pk=execution.pk).update(state="running")
    Demand.objects.update_or_create(
        execution=execution, number=0, defaults={"keys": list(keys), "queued": queued}
    )


@pytest.mark.parametrize("page", ["/", "/dashboard/whys/"])
def test_why_tasks_wait_leads_to_the_limit_and_its_holder(viewer, execution, other, page):
    waits_for(execution, "resource:staging-db", f"{execution.public_id}/max_concurrency")
    task_is(other, "solo", required_resources=[{"id": "staging-db", "exclusive": True}])
    Attempt.objects.create(
        task_run=other.task_runs.get(), execution=other, number=1, token="t", state="running",
        dispatched_at=NOW,
    )  # fmt: skip
    Execution.objects.filter(pk=other.pk).update(state="running", completed_at=None)
    text = viewer.get(page).content.decode()
    assert 'href="/limits/#resource:staging-db">staging-db is taken</a>, held by' in text
    assert f'href="/executions/{other.public_id}/?task=solo">solo</a>' in text
    assert "max concurrency of nightly</a> is full" in text
    assert "(3 tasks)" in text


def test_runs_one_may_not_see_are_counted_and_not_named(viewer, execution):
    waits_for(execution, "team:dev_team", f"{execution.public_id}/max_concurrency")
    TaskGroup.objects.get().owning_teams.add(Team.objects.get(name="dev_team"))
    text = viewer.get("/dashboard/whys/").content.decode()
    assert "dev_team is full" in text
    assert "nightly" not in text


def test_failures_are_told_by_the_first_line_of_their_error(viewer, execution):
    Execution.objects.filter(pk=execution.pk).update(state="running")
    task_is(execution, "build", state="failed", error="broken\nsecret line", finished_at=NOW)
    for page in ("/", "/dashboard/failures/"):
        text = viewer.get(page).content.decode()
        assert "broken" in text
        assert "secret line" not in text
        assert f"/executions/{execution.public_id}/?tab=tasks&amp;task=build" in text


def test_an_unknown_part_is_not_found(viewer):
    assert viewer.get("/dashboard/nothing/").status_code == 404


@pytest.mark.parametrize("page", ["/", "/executions/", "/executions/{}/"])
def test_progress_is_what_has_ended_however_it_went(viewer, execution, page):
    counts = {
        "completed": 1,
        "failed": 2,
        "skipped": 4,
        "cancelled": 8,
        "running": 16,
        "blocked": 2,
    }
    Execution.objects.filter(pk=execution.pk).update(state="running", counts=counts, total=33)
    text = viewer.get(page.format(execution.public_id)).content.decode()
    assert "15/33" in text.replace("</span>", "")
