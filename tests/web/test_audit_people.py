"""Who was given which right is told: users, roles, members, owners, tokens."""

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.urls import reverse
from django.utils import timezone

from executions import services
from executions.models import AuditEntry, Team
from tests.web.conftest import spec

pytestmark = pytest.mark.django_db


@pytest.fixture
def chief(client, site):
    user = get_user_model().objects.create_superuser("chief", password="the right one")
    client.force_login(user)
    client.user = user
    return client


@pytest.fixture
def ann(chief):
    return get_user_model().objects.create_user("ann")


def newest():
    entry = AuditEntry.objects.first()
    return entry.by, entry.verb, entry.target, entry.details


def test_a_role_given_in_the_admin_names_giver_role_and_user(chief, ann):
    values = {
        "username": "ann",
        "is_active": "on",
        "groups": [Group.objects.get(name="runner admin").pk],
        "date_joined_0": "2026-01-01",
        "date_joined_1": "00:00:00",
    }
    answer = chief.post(reverse("admin:auth_user_change", args=[ann.pk]), values)
    assert answer.status_code == 302
    assert newest() == ("chief", "change", "user ann", {"role added": "runner admin"})


def test_roles_taken_and_all_of_them_are_told(chief, ann):
    role = Group.objects.get(name="viewer")
    ann.groups.add(role)
    ann.groups.remove(role)
    assert newest()[2:] == ("user ann", {"role removed": "viewer"})
    role.user_set.add(ann)
    assert newest()[2:] == ("role viewer", {"user added": "ann"})
    ann.groups.clear()
    assert newest()[2:] == ("user ann", {"role removed": "all"})
    before = AuditEntry.objects.count()
    ann.groups.add()
    assert AuditEntry.objects.count() == before


def test_members_and_owners_decide_who_sees_what(chief, ann):
    team = Team.objects.get(name="dev_team")
    team.members.add(ann)
    assert newest()[2:] == ("team dev_team", {"user added": "ann"})
    group = services.group_save(spec=spec(), user=None)
    group.owning_teams.add(team)
    assert newest()[2:] == ("task group nightly", {"team added": "dev_team"})


def test_users_come_change_and_go_and_no_password_is_told(chief, ann):
    assert newest()[1:] == ("add", "user ann", {})
    ann.is_superuser = True
    ann.set_password("another one")
    ann.save()
    told = {"is_superuser": [False, True], "password": "changed"}
    assert newest()[1:] == ("change", "user ann", told)
    before = AuditEntry.objects.count()
    ann.save()
    chief.post("/login/", {"username": "chief", "password": "the right one"})
    assert AuditEntry.objects.count() == before
    services.token_make(user=ann, scope=services.Scope.READ, days=1)
    ann.delete()
    assert newest()[1:] == ("delete", "user ann", {})


def test_tokens_are_told_when_they_are_made_and_ended(chief):
    given = {"username": "chief", "password": "the right one", "scope": "operate"}
    chief.logout()
    token = chief.post("/api/v1/tokens/", given, "application/json").json()["token"]
    by, verb, target, details = newest()
    assert (by, verb, target, details["scope"]) == ("chief", "add", "token of chief", "operate")
    assert token not in str(details)
    chief.post("/api/v1/tokens/end/", headers={"Authorization": f"Token {token}"})
    assert newest() == ("chief", "delete", "token of chief", {})


def test_a_moment_among_the_details_is_told_as_one_and_text_stays_text(chief, ann):
    services.token_make(user=ann, scope=services.Scope.READ, days=1)
    until = newest()[3]["until"]
    AuditEntry(
        at=timezone.now(), verb="change", target="x", details={"a": ["<b>", 20260101]}
    ).save()
    page = chief.get("/audit/").content.decode()
    shown = f'<time datetime="{until}" title="{until}" data-moment>{until[:10]} '
    assert f"until: {shown}" in page
    assert "a: &lt;b&gt; → 20260101" in page
