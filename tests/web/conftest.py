"""Personas at a browser without a script, and runs to look at."""

from pathlib import Path

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client

from executions import services, specs
from executions.models import Resource, TaskRun, TaskType, Team

VIEWER = ("view_execution", "view_taskgroup", "view_team", "view_tasktype", "view_resource")
OPERATOR = (*VIEWER, "add_execution", "change_execution")
AUTHOR = (*OPERATOR, "add_taskgroup", "change_taskgroup", "delete_taskgroup")


@pytest.fixture(autouse=True)
def plain_static_files(settings):
    """Templates name files as they lie; nothing was collected."""
    Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)
    backend = "django.contrib.staticfiles.storage.StaticFilesStorage"
    settings.STORAGES = {**settings.STORAGES, "staticfiles": {"BACKEND": backend}}


@pytest.fixture
def site(db):
    """The teams, types and resources that specs here name."""
    Team.objects.update_or_create(name="dev_team", defaults={"max_parallel": 10})
    TaskType.objects.update_or_create(name="api_calls", defaults={"max_parallel": 5})
    Resource.objects.update_or_create(name="staging-db", defaults={"capacity": 1})


def person(name, *permissions):
    user = get_user_model().objects.create_user(name)
    user.user_permissions.set(
        Permission.objects.filter(content_type__app_label="executions", codename__in=permissions)
    )
    client = Client()
    client.force_login(user)
    client.user = user
    return client


@pytest.fixture
def viewer(site):
    return person("viewer", *VIEWER)


@pytest.fixture
def operator(site):
    return person("operator", *OPERATOR)


@pytest.fixture
def author(site):
    return person("author", *AUTHOR)


@pytest.fixture
def stranger(site):
    return person("stranger")


def spec(name="nightly", *tasks):
    given = tasks or (
        {"id": "build", "team": "dev_team"},
        {"id": "test", "depends_on": ["build"], "title": "Unit tests"},
    )
    return specs.load_data({"name": name, "tasks": list(given)}, **services.spec_surroundings())


@pytest.fixture
def group(author):
    return services.group_save(spec=spec(), user=author.user)


@pytest.fixture
def execution(group, author, redis_server):
    return services.execution_submit(user=author.user, group=group)


def task_is(execution, task_id, **fields):
    """Put a task run into a state, as the dispatcher would have."""
    TaskRun.objects.filter(execution=execution, task_id=task_id).update(**fields)
