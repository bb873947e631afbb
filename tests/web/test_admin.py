"""Django's admin: every list opens, runs are only looked at, limits stand beside their use."""

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.urls import reverse

from executions.models import Execution, Task, TaskGroup, TaskRun, Team
from tests.web.conftest import AUTHOR, person

OURS = [model for model in admin.site._registry if model._meta.app_label == "executions"]
WRITTEN_BY_PEOPLE = ("team", "tasktype", "resource", "taskgroup", "task", "secret")


@pytest.fixture
def chief(client, site):
    client.force_login(get_user_model().objects.create_superuser("chief"))
    return client


def address(model, verb, *args):
    return reverse(f"admin:executions_{model._meta.model_name}_{verb}", args=args)


@pytest.mark.parametrize("model", OURS, ids=lambda model: model._meta.model_name)
def test_every_list_and_row_opens(model, chief, execution):
    assert chief.get(address(model, "changelist")).status_code == 200
    row = model.objects.first()
    if row is not None:
        assert chief.get(address(model, "change", row.pk)).status_code == 200


@pytest.mark.parametrize(
    "model",
    [model for model in OURS if model._meta.model_name not in WRITTEN_BY_PEOPLE],
    ids=lambda model: model._meta.model_name,
)
def test_what_the_dispatcher_writes_is_changed_by_nobody(model, chief, execution):
    assert chief.get(address(model, "add")).status_code == 403
    row = model.objects.first()
    if row is not None:
        assert chief.post(address(model, "change", row.pk), {}).status_code == 403
        assert chief.post(address(model, "delete", row.pk), {"post": "yes"}).status_code == 403


def test_closing_a_team_sets_its_limit_to_nothing_and_remembers_the_old(chief, redis_server):
    team = Team.objects.get(name="dev_team")
    was = team.max_parallel
    chief.post(address(Team, "changelist"), {"action": "close", "_selected_action": [team.pk]})
    team.refresh_from_db()
    assert team.max_parallel == 0
    assert was > 0
    newest = team.history.latest()
    assert (newest.max_parallel, newest.history_user.username) == (0, "chief")


def test_a_limit_keeps_its_name(chief, redis_server):
    team = Team.objects.get(name="dev_team")
    values = {"name": "renamed", "max_parallel": 7, "description": "", "members": []}
    chief.post(address(Team, "change", team.pk), values)
    team.refresh_from_db()
    assert (team.name, team.max_parallel) == ("dev_team", 7)


@pytest.fixture
def staff(site):
    """An author whom somebody let into the admin."""
    client = person("staff", *AUTHOR, *(f"{verb}_task" for verb in ("add", "change", "view")))
    client.user.is_staff = True
    client.user.save()
    return client


def test_no_task_that_runs_code_comes_in_by_the_admin(staff):
    group = TaskGroup.objects.create(name="own", owner=staff.user)
    task = Task.objects.create(group=group, position=0, task_id="A", runner="noop", payload={})
    shell = {"runner": "shell", "payload": '{"command": "id"}', "task_id": "A", "priority": 50}
    form = {"required_resources-TOTAL_FORMS": 0, "required_resources-INITIAL_FORMS": 0}
    for answer in (
        staff.post(address(Task, "change", task.pk), {**shell, **form, "group": group.pk}),
        staff.post(address(Task, "add"), {**shell, **form, "group": group.pk, "task_id": "B"}),
    ):
        assert answer.status_code == 403
    page = staff.get(address(TaskGroup, "change", group.pk))
    assert page.status_code == 200
    assert b'name="tasks-0-runner"' not in page.content
    assert list(Task.objects.values_list("runner", flat=True).filter(group=group)) == ["noop"]


def test_what_one_may_not_see_is_not_in_the_admin_either(staff, execution):
    assert staff.get(address(Execution, "change", execution.pk)).status_code == 200
    group = TaskGroup.objects.create(name="theirs")
    group.owning_teams.add(Team.objects.get(name="dev_team"))
    Execution.objects.update(group=group, submitted_by=None)
    for model, row in (
        (TaskGroup, group),
        (Execution, execution),
        (TaskRun, execution.task_runs.first()),
    ):
        assert staff.get(address(model, "change", row.pk)).status_code in (302, 403)
        assert str(row) not in staff.get(address(model, "changelist")).content.decode()
