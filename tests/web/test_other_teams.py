"""What belongs to another team does not exist, at any address: pages, REST and the admin.

Addresses come from the tables of routes, so that a new one which forgets to look is found.
"""

import re

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import reverse

from executions import services
from executions.api.urls import v1
from executions.models import Attempt, Execution, Task, TaskGroup, TaskRun, Team
from executions.pages.urls import urlpatterns
from pexec_site.history import HistoryAdmin
from tests.api.records import finished
from tests.web.conftest import spec

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_server")]
VERBS = ("get", "post", "put", "patch", "delete")
NAME = "hush-project"
PARAMETER = re.compile(r"<\w+:(\w+)>")
OF_NO_TEAM = {
    ("limits/<str:kind>/<str:name>/", "kind"),
    ("limits/limits.<str:form>", "form"),
    ("dashboard/<str:name>/", "name"),
    ("work/<int:pk>/<str:verb>/", "pk"),  # asked of what is offered to the user
    ("teams/<str:name>/", "name"),
    ("task-types/<str:name>/", "name"),
    ("resources/<str:name>/", "name"),
    ("secrets/<str:name>/", "name"),
    ("work/<str:token>/heartbeat/", "token"),
    ("work/<str:token>/complete/", "token"),
    ("work/<str:token>/fail/", "token"),
    ("work/<str:token>/hand-back/", "token"),
}


@pytest.fixture
def theirs(site):
    """A group with an execution that has ended, of a team."""
    group = services.group_save(spec=spec(NAME), user=None)
    group.owning_teams.add(Team.objects.get(name="dev_team"))
    execution = finished(None)
    Execution.objects.filter(pk=execution.pk).update(group=group, name=NAME)
    execution.refresh_from_db()
    return execution


@pytest.fixture
def outsider(theirs):
    """An administrator by every right there is, in no team, who may enter the admin."""
    user = get_user_model().objects.create_user("outsider", is_staff=True)
    user.groups.set(Group.objects.all())
    client = Client()
    client.force_login(user)
    return client


def owned(patterns):
    """Addresses that name something: (pattern, first parameter)."""
    found = [(str(p.pattern), PARAMETER.findall(str(p.pattern))) for p in patterns]
    return [
        (text, names[0]) for text, names in found if names and (text, names[0]) not in OF_NO_TEAM
    ]


def filled(pattern, execution):
    values = {
        "public_id": execution.public_id,
        "pk": str(execution.group_id),
        "key": NAME if "plan" in pattern else str(execution.group_id),
        "task_id": "TASK-001",
        "number": "1",
        "form": "csv",
        "verb": "cancel",
    }
    return PARAMETER.sub(lambda match: values[match[1]], pattern)


@pytest.mark.parametrize(
    "route",
    [
        *(f"/{text}" for text, _ in owned(urlpatterns)),
        *(f"/api/v1/{text}" for text, _ in owned(v1)),
    ],
)
def test_no_address_answers_for_another_team(route, outsider, theirs):
    found = {verb: getattr(outsider, verb)(filled(route, theirs)).status_code for verb in VERBS}
    assert set(found.values()) <= {404, 405}
    assert 404 in found.values()


def test_a_member_is_answered_at_the_same_addresses(outsider, theirs):
    user = get_user_model().objects.get(username="outsider")
    user.teams.add(Team.objects.get(name="dev_team"))
    for text, _ in owned(v1):
        found = [
            getattr(outsider, verb)(f"/api/v1/{filled(text, theirs)}") for verb in ("get", "put")
        ]
        assert not all(answer.status_code == 404 for answer in found), text


LISTS = ("/", "/executions/", "/groups/", "/dashboard/failures/", "/dashboard/whys/", "/limits/",
         "/work/", "/api/v1/executions/", "/api/v1/task-groups/", "/api/v1/teams/")  # fmt: skip


@pytest.mark.parametrize("address", LISTS)
def test_no_list_tells_of_it(address, outsider, theirs):
    shown = outsider.get(address).content.decode()
    assert NAME not in shown
    assert theirs.public_id not in shown


def rows(execution):
    """What is somebody's, as the admin shows it."""
    return [
        execution.group,
        Task.objects.get(group=execution.group, task_id="build"),
        execution,
        TaskRun.objects.filter(execution=execution).first(),
        Attempt.objects.filter(execution=execution).first(),
    ]


@pytest.mark.parametrize("verb", ["change", "delete", "history"])
def test_the_admin_does_not_either(verb, outsider, theirs):
    for row in rows(theirs):
        meta = row._meta
        address = reverse(f"admin:executions_{meta.model_name}_{verb}", args=[row.pk])
        for ask in (outsider.get, outsider.post):
            answer = ask(address, follow=True)
            assert NAME not in answer.content.decode(), (address, ask)
        listed = outsider.get(reverse(f"admin:executions_{meta.model_name}_changelist"))
        assert NAME not in listed.content.decode()
    assert TaskGroup.objects.filter(name=NAME).exists()


def version_of(row):
    name = f"admin:executions_{row._meta.model_name}_simple_history"
    return reverse(name, args=[row.pk, row.history.first().pk])


def test_nor_do_earlier_versions_of_it(outsider, theirs):
    group = theirs.group
    address = version_of(group)
    assert outsider.get(address).status_code == 404
    values = {"name": "taken over", "failure_strategy": "fail_fast", "max_concurrency": 1}
    assert outsider.post(address, values).status_code == 404
    group.refresh_from_db()
    assert group.name == NAME


def test_who_only_looks_brings_no_earlier_version_back(site):
    team = Team.objects.get(name="dev_team")
    services.limit_change(limit=team, value=3, user=None)
    user = get_user_model().objects.create_user("looker", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=["view_team"]))
    client = Client()
    client.force_login(user)
    assert client.get(version_of(team)).status_code == 200
    values = {"max_parallel": 99, "description": "", "members": []}
    assert client.post(version_of(team), values).status_code == 403
    team.refresh_from_db()
    assert team.max_parallel == 3


def test_every_model_with_a_history_is_guarded():
    kept = [made for model, made in admin.site._registry.items() if hasattr(model, "history")]
    assert kept
    assert all(isinstance(made, HistoryAdmin) for made in kept)
