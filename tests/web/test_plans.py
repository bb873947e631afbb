"""Plan before a run, what-if of a run: by changed limits in the address."""

from datetime import timedelta

import pytest
from django.utils import timezone

from executions import services
from executions.models import Attempt, Execution, TaskRun, WorkerProcess
from executions.pages.plans import changes_asked
from tests.web.conftest import spec

TWO_ALONE = (
    {"id": "a", "team": "dev_team", "duration_s": 4, "required_resources": [{"id": "staging-db"}]},
    {"id": "b", "team": "dev_team", "duration_s": 4, "required_resources": [{"id": "staging-db"}]},
)


@pytest.fixture
def two(author):
    return services.group_save(spec=spec("two", *TWO_ALONE), user=author.user)


def test_a_plan_tells_forecast_bound_and_what_one_more_saves(viewer, two):
    answer = viewer.get(f"/groups/{two.pk}/plan/")
    assert answer.status_code == 200
    plan = answer.context["plan"]
    assert plan["makespan_s"] == 8
    assert "staging-db" in plan["binding"]["limit"]
    text = answer.content.decode()
    assert "staging-db: 1 → 2 saves 4.0 s" in text


def test_changed_limits_stand_beside_todays(viewer, two):
    answer = viewer.get(f"/groups/{two.pk}/plan/", {"set.resource:staging-db": "2"})
    assert answer.context["plan"]["makespan_s"] == 8
    assert answer.context["changed"]["makespan_s"] == 4


def test_a_closed_limit_is_said_not_hung(viewer, two):
    answer = viewer.get(f"/groups/{two.pk}/plan/", {"set.team:dev_team": "0"})
    assert "never ends" in answer.content.decode()


def test_run_with_these_takes_them_as_its_own(operator, two, redis_server):
    operator.post(
        f"/groups/{two.pk}/run-with/", {"set.max_concurrency": "1", "set.team:dev_team": "2"}
    )
    execution = Execution.objects.get()
    assert execution.config["max_concurrency"] == 1
    assert execution.config["limits"]["team"] == {"dev_team": 2}
    assert execution.group == two


def test_an_operator_runs_with_other_limits_what_they_may_not_define(operator, redis_server):
    tasks = [{"id": "a", "runner": "shell", "payload": {"command": "true"}, "team": "dev_team"}]
    group = services.group_save(spec=spec("dangerous", *tasks), user=None)
    operator.post(f"/groups/{group.pk}/run-with/", {"set.team:dev_team": "2"})
    assert Execution.objects.get().config["limits"]["team"] == {"dev_team": 2}


def test_what_if_replays_with_the_real_run_times(viewer, operator, two, redis_server):
    execution = services.execution_submit(user=operator.user, group=two)
    start = timezone.now() - timedelta(seconds=60)
    for n, row in enumerate(TaskRun.objects.filter(execution=execution).order_by("position")):
        began = start + timedelta(seconds=10 * n)
        ended = began + timedelta(seconds=10)
        Attempt.objects.create(
            task_run=row,
            execution=execution,
            number=1,
            token=row.task_id,
            worker="w",
            state="completed",
            dispatched_at=began,
            started_at=began,
            finished_at=ended,
            released_at=ended,
        )
        TaskRun.objects.filter(pk=row.pk).update(
            state="completed", attempts=1, started_at=began, finished_at=ended
        )
    Execution.objects.filter(pk=execution.pk).update(
        state="completed",
        outcome="success",
        started_at=start,
        completed_at=start + timedelta(seconds=20),
    )
    answer = viewer.get(
        f"/executions/{execution.public_id}/",
        {"tab": "concurrency", "set.resource:staging-db": "2"},
    )
    found = answer.context["what_if"]
    assert (found["real_s"], found["replayed_s"], found["makespan_s"]) == (20, 20, 10)
    assert "+0.0 % off the real run" in answer.content.decode()


def test_fewer_workers_are_fewer_at_once_and_what_does_not_hold_is_said(
    operator, two, redis_server
):
    now = timezone.now()
    WorkerProcess.objects.create(
        incarnation="w", host="h", pid=1, slots=4, first_seen_at=now, heartbeat_at=now
    )
    asked = {"set.workers": "2", "set.resource:staging-db": "3", "set.team:dev_team": "99"}
    page = operator.get(f"/groups/{two.pk}/plan/", asked).content.decode()
    answer = operator.post(f"/groups/{two.pk}/run-with/", asked, follow=True)
    assert Execution.objects.get().config["max_concurrency"] == 2
    for text in (page, answer.content.decode()):
        assert "staging-db has 1 for all runs" in text
        assert "dev_team stays at the site" in text


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"set.team:dev": "3"}, {"team:dev": 3}),
        ({"set.team:dev": "2"}, {}),
        ({"set.team:dev": "x"}, {}),
        ({"set.team:dev": "-1"}, {}),
        ({"set.team:dev": "999999999999"}, {}),
        ({"set.team:dev": "0000000003"}, {}),
        ({"set.team:unknown": "3"}, {}),
        ({"team:dev": "3"}, {}),
    ],
)
def test_only_changes_of_known_limits_are_taken(asked, found):
    assert changes_asked(asked, {"team:dev": 2}) == found


def test_a_stranger_plans_nothing(stranger, two):
    assert stranger.get(f"/groups/{two.pk}/plan/").status_code == 404


def test_a_viewer_does_not_run_with_other_limits(viewer, two):
    assert viewer.post(f"/groups/{two.pk}/run-with/", {}).status_code == 403
