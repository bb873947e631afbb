"""Personas: who asks. Permissions are given one by one, so that each test says what it needs."""

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from rest_framework.test import APIClient

VIEWER = ("view_execution", "view_taskgroup", "view_team", "view_tasktype", "view_resource")
OPERATOR = (*VIEWER, "add_execution", "change_execution")
AUTHOR = (*OPERATOR, "add_taskgroup", "change_taskgroup", "delete_taskgroup")


def person(name: str, *permissions: str):
    user = get_user_model().objects.create_user(name)
    user.user_permissions.set(
        Permission.objects.filter(content_type__app_label="executions", codename__in=permissions)
    )
    return user


def client_of(user) -> APIClient:
    client = APIClient(raise_request_exception=True)
    client.force_authenticate(user)
    return client


@pytest.fixture
def author(db):
    return person("author", *AUTHOR)


@pytest.fixture
def operator(db):
    return person("operator", *OPERATOR)


@pytest.fixture
def viewer(db):
    return person("viewer", *VIEWER)


@pytest.fixture
def stranger(db):
    return person("stranger")


@pytest.fixture
def as_author(author):
    return client_of(author)


@pytest.fixture
def as_operator(operator):
    return client_of(operator)


@pytest.fixture
def as_viewer(viewer):
    return client_of(viewer)


@pytest.fixture
def as_stranger(stranger):
    return client_of(stranger)


def spec(*tasks: dict, **fields) -> dict:
    return {"name": "g", "tasks": list(tasks) or [{"id": "A"}], **fields}
