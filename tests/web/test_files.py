"""Limits and task groups as files: out by choice, in after a look at what would change, whole."""

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse

from executions import services, specs
from executions.models import AuditEntry, Resource, Task, TaskGroup, TaskType, Team
from tests.web.conftest import AUTHOR, person
from tests.web.conftest import spec as spec_given

LIMITS = """
teams:
  dev_team: {max_parallel: 4, description: Makers}
  night_team: {max_parallel: 2}
resources:
  staging-db: {capacity: 1}
"""
GROUPS = """
task_groups:
- name: nightly
  tasks: [{id: build, priority: 80}]
- name: weekly
  resources: {tape: {capacity: 2}}
  tasks: [{id: copy, required_resources: [{id: tape}]}]
"""


@pytest.fixture
def chief(site):
    client = Client()
    client.user = get_user_model().objects.create_superuser("chief")
    client.force_login(client.user)
    return client


def limits_now():
    return {
        limit.name: getattr(limit, "max_parallel", None) or getattr(limit, "capacity", None)
        for model in (Team, TaskType, Resource)
        for limit in model.objects.all()
    }


def test_a_file_of_limits_shows_what_it_would_change_then_changes_that(chief, redis_server):
    before = limits_now()
    shown = chief.post("/limits/upload/", {"text": LIMITS})
    assert [(c.kind, c.place, c.before, c.after) for c in shown.context["changes"]] == [
        ("changed", "teams.dev_team", "10", "4 (Makers)"),
        ("added", "teams.night_team", "", "2"),
    ]
    assert limits_now() == before
    chief.post("/limits/upload/", {"text": LIMITS, "confirmed": "1", "reason": "fewer hands"})
    assert limits_now() == {**before, "dev_team": 4, "night_team": 2}
    newest = Team.objects.get(name="dev_team").history.latest()
    assert (newest.history_user, newest.history_change_reason) == (chief.user, "fewer hands")
    told = AuditEntry.objects.filter(by="chief").values_list("verb", "target")
    assert set(told) == {("change", "team dev_team"), ("add", "team night_team")}


def test_a_file_of_limits_with_a_fault_changes_nothing(chief):
    before = limits_now()
    text = LIMITS + "task_types: {api_calls: {max_parallel: many}, new!: {max_parallel: 1}}"
    answer = chief.post("/limits/upload/", {"text": text, "confirmed": "1"})
    assert answer.status_code == 400
    page = answer.content.decode()
    assert "task_types.api_calls.max_parallel" in page
    assert "task_types.new!" in page
    assert limits_now() == before


def test_who_may_change_teams_makes_none_and_changes_no_resource(site, redis_server):
    client = person("lead", *AUTHOR, "change_team")
    for text in (LIMITS, "resources: {staging-db: {capacity: 7}}"):
        for confirmed in ({}, {"confirmed": "1"}):
            answer = client.post("/limits/upload/", {"text": text, **confirmed})
            assert answer.status_code == 403
    assert Team.objects.get(name="dev_team").max_parallel == 10
    change = {"text": "teams: {dev_team: {max_parallel: 4}}", "confirmed": "1"}
    assert client.post("/limits/upload/", change).status_code == 302
    assert Team.objects.get(name="dev_team").max_parallel == 4


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_exported_limits_upload_to_the_same(chief, form):
    Team.objects.filter(name="dev_team").update(description='Makers: "all" of them')
    text = chief.get(f"/limits/limits.{form}").content.decode()
    shown = chief.post("/limits/upload/", {"text": text})
    assert shown.context["changes"] == []
    assert set(limits_now()) <= set(text.replace(":", " ").replace('"', " ").split())


def test_several_groups_come_in_one_file_whole_or_not_at_all(author, group):
    shown = author.post("/groups/upload/", {"text": GROUPS})
    assert [
        (preview["spec"].name, [(c.kind, c.place) for c in preview["changes"]])
        for preview in shown.context["previews"]
    ] == [
        (
            "nightly",
            [("changed", "build: priority"), ("changed", "build: team"), ("removed", "test")],
        ),
        ("weekly", [("added", "resource tape"), ("added", "copy")]),
    ]
    bad = GROUPS.replace("id: tape}", "id: tape, amount: 3}")
    answer = author.post("/groups/upload/", {"text": bad, "confirmed": "1"})
    assert answer.status_code == 400
    assert "task_groups[1].tasks[0].required_resources[0].amount" in answer.content.decode()
    assert TaskGroup.objects.count() == 1
    assert not Resource.objects.filter(name="tape").exists()
    author.post("/groups/upload/", {"text": GROUPS, "confirmed": "1"})
    assert set(TaskGroup.objects.values_list("name", flat=True)) == {"nightly", "weekly"}


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("task_groups: []", "task_groups"),
        (
            "task_groups: [{name: a, tasks: [{id: x}]}, {name: a, tasks: [{id: x}]}]",
            "task_groups[1].name",
        ),
        ("task_groups: [{name: a, tasks: [{id: x}]}]\nname: b", "name"),
        ("task_groups: [3]", "task_groups[0]"),
    ],
)
def test_a_file_of_groups_is_judged_as_a_whole(author, text, place):
    answer = author.post("/groups/upload/", {"text": text, "confirmed": "1"})
    assert [fault.place for fault in answer.context["faults"]] == [place]
    assert not TaskGroup.objects.exists()


def test_one_group_that_may_not_be_defined_keeps_all_of_the_file_out(author, settings):
    settings.PEXEC_RUNNERS = ["noop", "shell"]
    text = GROUPS + "- {name: z, tasks: [{id: x, runner: shell, payload: {command: id}}]}\n"
    for confirmed in ({}, {"confirmed": "1"}):
        answer = author.post("/groups/upload/", {"text": text, **confirmed})
        assert answer.status_code == 403
    assert not TaskGroup.objects.exists()


def chosen(model, action, *rows):
    address = reverse(f"admin:executions_{model._meta.model_name}_changelist")
    return address, {"action": action, "_selected_action": [row.pk for row in rows]}


def test_chosen_limits_leave_the_admin_as_a_file(chief):
    Team.objects.create(name="other_team", max_parallel=1)
    team = Team.objects.get(name="dev_team")
    text = chief.post(*chosen(Team, "export_yaml", team)).content.decode()
    assert specs.limits_read(text) == services.limits_file([team])


@pytest.mark.parametrize("action", ["export_yaml", "export_json"])
def test_chosen_groups_leave_the_admin_as_a_file_that_makes_them_elsewhere(chief, group, action):
    needs = {"id": "load", "required_resources": [{"id": "staging-db"}]}
    other = services.group_save(spec=spec_given("loads", needs), user=None)
    answer = chief.post(*chosen(TaskGroup, action, group, other))
    assert answer.headers["Content-Disposition"].startswith("attachment")
    text = answer.content.decode()
    before = [services.spec_of(one) for one in (other, group)]
    TaskGroup.objects.all().delete()
    Resource.objects.all().delete()
    chief.post("/groups/upload/", {"text": text, "confirmed": "1"})
    assert [services.spec_of(one) for one in TaskGroup.objects.order_by("name")] == before


def test_the_admin_leads_to_the_uploads_and_changes_no_task(chief, group):
    for model, upload in ((Team, "/limits/upload/"), (TaskGroup, "/groups/upload/")):
        page = chief.get(reverse(f"admin:executions_{model._meta.model_name}_changelist"))
        assert f'href="{upload}"' in page.content.decode()
    task = group.tasks.first()
    address = reverse("admin:executions_task_change", args=[task.pk])
    assert chief.post(address, {"runner": "shell"}).status_code == 403
    assert Task.objects.get(pk=task.pk).runner == task.runner


def test_the_admin_shows_nobody_more_than_the_pages_do(group, execution):
    group.owning_teams.add(Team.objects.create(name="closed", max_parallel=1))
    execution.owning_teams.add(*group.owning_teams.all())
    client = person("stranger who is staff", *AUTHOR, "view_taskrun", "view_attempt", "view_task")
    client.user.is_staff = True
    client.user.save()
    for name in ("taskgroup", "task", "execution", "taskrun"):
        page = client.get(reverse(f"admin:executions_{name}_changelist"))
        assert page.context["cl"].result_count == 0, name
