"""What people do in the admin: they are told what stands in the way, asked before they cancel."""

from importlib import import_module

import pytest
from django.apps import apps
from django.contrib.auth import get_user_model
from django.urls import reverse
from django.utils import timezone

from executions import selectors, services
from executions.models import Attempt, AuditEntry, Command, Execution, Resource, TaskGroup, Team
from tests.web.conftest import person, spec

pytestmark = pytest.mark.django_db
EXECUTIONS = reverse("admin:executions_execution_changelist")


@pytest.fixture
def chief(client, site):
    client.force_login(get_user_model().objects.create_superuser("chief"))
    return client


@pytest.fixture
def held(execution):
    """A run whose first task holds a slot of the team."""
    run = execution.task_runs.get(task_id="build")
    execution.task_runs.filter(pk=run.pk).update(state="running")
    Attempt.objects.create(
        task_run=run, execution=execution, number=1, token="t", state="running",
        dispatched_at=timezone.now(),
    )  # fmt: skip
    return execution


def delete_page(limit):
    return reverse(f"admin:executions_{limit._meta.model_name}_delete", args=[limit.pk])


def test_deleting_what_is_in_use_says_why_and_by_whom(chief, held):
    team = Team.objects.get(name="dev_team")
    for answer in (
        chief.get(delete_page(team)),
        chief.post(delete_page(team), {"post": "yes"}),
        chief.post(
            reverse("admin:executions_team_changelist"),
            {"action": "delete_selected", "_selected_action": [team.pk], "post": "yes"},
        ),
    ):
        text = answer.content.decode()
        assert "What is in use is not deleted" in text
        assert f'<a href="/executions/{held.public_id}/?task=build">build</a>' in text
        assert f'1 task of <a href="/executions/{held.public_id}/">nightly' in text
        assert 'asked for by 1 task of task group <a href="/groups/' in text
    assert Team.objects.filter(pk=team.pk).exists()


def test_the_link_to_a_holder_leads_to_it_whatever_its_id(chief, held):
    held.task_runs.filter(task_id="build").update(task_id="build+1")
    text = chief.get(delete_page(Team.objects.get(name="dev_team"))).content.decode()
    assert f'<a href="/executions/{held.public_id}/?task=build%2B1">build+1</a>' in text


def test_a_limit_that_only_a_group_asks_for_names_the_group(chief, group):
    text = chief.get(delete_page(Team.objects.get(name="dev_team"))).content.decode()
    assert "asked for by 1 task of task group" in text
    assert "held by" not in text


def test_a_resource_is_kept_for_those_who_are_to_take_it_and_free_after(
    chief, author, redis_server
):
    need = {"id": "staging-db", "exclusive": True}
    run = services.execution_submit(
        user=author.user,
        spec=spec("moves", {"id": "A", "required_resources": [need]}, {"id": "B"}),
    )
    resource = Resource.objects.get(name="staging-db")
    assert "needed by 1 task of" in chief.get(delete_page(resource)).content.decode()
    run.task_runs.update(state="completed")
    chief.post(delete_page(resource), {"post": "yes"})
    assert not Resource.objects.filter(pk=resource.pk).exists()


def test_who_may_not_see_a_run_is_not_told_its_name(held, site):
    keeper = person("keeper", "view_team", "delete_team")
    keeper.user.is_staff = True
    keeper.user.save()
    group = TaskGroup.objects.get()
    group.owning_teams.add(Team.objects.get(name="dev_team"))
    Execution.objects.update(submitted_by=None, group=group)
    text = keeper.get(delete_page(Team.objects.get(name="dev_team"))).content.decode()
    assert "held by a task you may not see" in text
    assert "an execution you may not see" in text
    assert held.public_id not in text
    assert "nightly" not in text


def chosen(execution, **more):
    return {"action": "cancel", "_selected_action": [execution.pk], **more}


def test_cancelling_is_asked_back_then_done_and_audited(chief, execution):
    text = chief.post(EXECUTIONS, chosen(execution)).content.decode()
    assert "Cancel executions?" in text
    assert execution.public_id in text
    assert not Command.objects.exists()
    chief.post(EXECUTIONS, chosen(execution, sure="yes"))
    assert Command.objects.get().verb == "cancel"
    entry = AuditEntry.objects.first()
    assert (entry.by, entry.verb, entry.target) == ("chief", "cancel", execution.public_id)


def test_what_is_over_is_not_asked_about(chief, execution):
    Execution.objects.update(state="completed")
    answer = chief.post(EXECUTIONS, chosen(execution), follow=True)
    assert "All of these are over" in answer.content.decode()
    chief.post(EXECUTIONS, chosen(execution, sure="yes"))
    assert not Command.objects.exists()


def test_the_audit_leads_to_what_it_names_as_long_as_it_is_there(chief, held):
    for page in ("/audit/", reverse("admin:executions_auditentry_changelist")):
        text = chief.get(page).content.decode()
        assert f'<a href="/executions/{held.public_id}/">{held.public_id}</a>' in text
        assert f'<a href="/groups/{held.group_id}/">task group nightly</a>' in text
    Execution.objects.all().delete()
    TaskGroup.objects.all().delete()
    text = chief.get("/audit/").content.decode()
    assert held.public_id in text
    assert f'/executions/{held.public_id}/"' not in text
    Team.objects.create(name="night_team", max_parallel=1)
    assert '<a href="/limits/#team:night_team">team night_team</a>' in (
        chief.get("/audit/").content.decode()
    )


def test_the_first_change_of_a_shipped_limit_tells_what_was_before(chief, redis_server):
    Team.objects.bulk_create([Team(name="shipped", max_parallel=7)])  # as migrations make them
    Team.history.filter(name="shipped").delete()
    remember = import_module("executions.migrations.0017_limits_as_shipped").remember
    remember(apps, None)
    remember(apps, None)
    team = Team.objects.get(name="shipped")
    assert team.history.count() == 1
    chief.post(reverse("limit-change", args=["team", "shipped"]), {"value": "2"})
    newest = selectors.limit_history()[0]
    assert (newest["name"], newest["before"], newest["after"]) == ("shipped", 7, 2)
    assert AuditEntry.objects.first().details["max_parallel"] == [7, 2]
