"""Django's admin: every list opens, runs are only looked at, limits stand beside their use."""

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.urls import reverse

from executions.models import Team

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
