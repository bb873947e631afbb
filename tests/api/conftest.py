"""Personas: who asks, with the roles a site is shipped with."""

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission

from tests.api.document import DocumentedClient


def person(name: str, *permissions: str):
    user = get_user_model().objects.create_user(name)
    user.user_permissions.set(
        Permission.objects.filter(content_type__app_label="executions", codename__in=permissions)
    )
    return user


def member(role: str, name: str | None = None):
    """Somebody with one of the shipped roles."""
    user = get_user_model().objects.create_user(name or role)
    user.groups.add(Group.objects.get(name=role))
    return user


def client_of(user) -> DocumentedClient:
    client = DocumentedClient(raise_request_exception=True)
    client.force_authenticate(user)
    return client


@pytest.fixture
def author(db):
    return member("author")


@pytest.fixture
def operator(db):
    return member("operator")


@pytest.fixture
def viewer(db):
    return member("viewer")


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
