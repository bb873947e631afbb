"""What ends tokens, and what an administrator does where somebody guessed too often."""

import pytest
from axes.models import AccessAttempt
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from knox.models import AuthToken

from executions import services
from executions.models import AuditEntry
from tests.web.test_guesses import guessed

pytestmark = pytest.mark.django_db


@pytest.fixture
def administrator(db):
    user = get_user_model().objects.create_user("administrator", is_staff=True)
    user.groups.add(Group.objects.get(name="administrator"))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def ann(db):
    return get_user_model().objects.create_user("ann")


def deleted(client, model, row):
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}_delete"
    return client.post(reverse(name, args=[row.pk]), {"post": "yes"}).status_code == 302


def test_a_token_of_somebody_else_is_ended_at_once(administrator, ann):
    token, _ = services.token_make(user=ann, scope=services.Scope.CONFIGURE, days=1)
    headers = {"Authorization": f"Token {token}"}
    ask = Client()
    assert ask.get("/api/v1/executions/", headers=headers).status_code == 403  # known, no role
    assert deleted(administrator, AuthToken, AuthToken.objects.get())
    assert ask.get("/api/v1/executions/", headers=headers).status_code == 401


def saved_active(_chief, user, *, is_active):
    user.is_active = is_active
    user.save()


def ticked_active(chief, user, *, is_active):
    values = {
        "username": user.username,
        "date_joined_0": "2026-01-01",
        "date_joined_1": "00:00:00",
        **({"is_active": "on"} if is_active else {}),
    }
    address = reverse("admin:auth_user_change", args=[user.pk])
    assert chief.post(address, values).status_code == 302


@pytest.mark.parametrize("change", [saved_active, ticked_active])
def test_a_token_ends_with_its_user_and_does_not_come_back_with_them(admin_client, ann, change):
    token, _ = services.token_make(user=ann, scope=services.Scope.READ, days=1)
    for is_active in (False, True):
        change(admin_client, ann, is_active=is_active)
        answer = Client().get("/api/v1/executions/", headers={"Authorization": f"Token {token}"})
        assert answer.status_code == 401
    told = AuditEntry.objects.filter(verb="delete").values_list("target", flat=True)
    assert list(told) == ["token of ann"]


def test_a_token_of_who_was_inactive_already_ends_as_they_come_back(ann):
    services.token_make(user=ann, scope=services.Scope.READ, days=1)
    get_user_model().objects.update(is_active=False)  # as before tokens ended with their user
    ann.refresh_from_db()
    saved_active(None, ann, is_active=True)
    assert not AuthToken.objects.exists()


NEW = "a password of seven words"


def by_the_admin(chief, user):
    values = {"password1": NEW, "password2": NEW, "usable_password": "true"}
    address = reverse("admin:auth_user_password_change", args=[user.pk])
    assert chief.post(address, values).status_code == 302


def by_themselves(_chief, user):
    own = Client()
    own.force_login(user)
    values = {"old_password": "old", "new_password1": NEW, "new_password2": NEW}
    assert own.post(reverse("admin:password_change"), values).status_code == 302


def by_command(_chief, user, monkeypatch):
    monkeypatch.setattr("getpass.getpass", lambda *_args, **_options: NEW)
    call_command("changepassword", user.username)


def to_none(_chief, user):
    user.set_unusable_password()
    user.save()


@pytest.mark.parametrize("change", [by_the_admin, by_themselves, by_command, to_none])
def test_a_new_password_ends_the_tokens_of_its_user_only(admin_client, ann, change, monkeypatch):
    ann.set_password("old")
    ann.is_staff = True
    ann.save()
    other = get_user_model().objects.create_user("bob")
    tokens = {
        user: services.token_make(user=user, scope=services.Scope.READ, days=1)[0]
        for user in (ann, other)
    }
    change(admin_client, ann, **({"monkeypatch": monkeypatch} if change is by_command else {}))
    asked = {
        user.username: Client()
        .get("/api/v1/executions/", headers={"Authorization": f"Token {token}"})
        .status_code
        for user, token in tokens.items()
    }
    assert asked == {"ann": 401, "bob": 403}  # bob is known, and has no role
    told = AuditEntry.objects.filter(verb="delete").values_list("target", flat=True)
    assert list(told) == ["token of ann"]


def test_signing_in_changes_no_password_where_it_is_hashed_anew(ann, site):
    ann.password = make_password("old", hasher="scrypt")
    ann.save()
    services.token_make(user=ann, scope=services.Scope.READ, days=1)
    before, hashed = AuditEntry.objects.count(), ann.password
    assert Client().post("/login/", {"username": "ann", "password": "old"}).status_code == 302
    ann.refresh_from_db()
    assert ann.password != hashed
    assert AuthToken.objects.filter(user=ann).count() == 1
    assert AuditEntry.objects.count() == before


def test_nobody_makes_a_token_for_somebody_else(administrator):
    assert administrator.get(reverse("admin:knox_authtoken_add")).status_code == 403


def test_who_guessed_too_often_is_let_in_again(administrator, ann):
    guessed("ann", "203.0.113.1", 10)
    assert deleted(administrator, AccessAttempt, AccessAttempt.objects.get())
