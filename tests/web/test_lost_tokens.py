"""What an administrator does where a token was lost, or somebody guessed too often."""

import pytest
from axes.models import AccessAttempt
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse
from knox.models import AuthToken

from executions import services
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


def test_a_token_ends_with_its_user(ann):
    token, _ = services.token_make(user=ann, scope=services.Scope.READ, days=1)
    ann.is_active = False
    ann.save()
    answer = Client().get("/api/v1/executions/", headers={"Authorization": f"Token {token}"})
    assert answer.status_code == 401


def test_nobody_makes_a_token_for_somebody_else(administrator):
    assert administrator.get(reverse("admin:knox_authtoken_add")).status_code == 403


def test_who_guessed_too_often_is_let_in_again(administrator, ann):
    guessed("ann", "203.0.113.1", 10)
    assert deleted(administrator, AccessAttempt, AccessAttempt.objects.get())
