"""Closing an attempt by force over REST and on its page: who may, and what is kept of it."""

import pytest
from django.test import Client

from executions.models import Attempt, Command, Execution, TaskRun
from tests.api.conftest import client_of, member
from tests.api.records import finished

pytestmark = pytest.mark.django_db


@pytest.fixture
def execution(author):
    execution = finished(author)
    Execution.objects.filter(pk=execution.pk).update(state="running", completed_at=None)
    TaskRun.objects.filter(execution=execution, task_id="TASK-001").update(state="running")
    Attempt.objects.filter(execution=execution, task_run__task_id="TASK-001").update(
        state="running", released_at=None, finished_at=None
    )
    return execution


@pytest.fixture
def chief():
    return member("administrator")


def ask(user, execution, task="TASK-001", **body):
    address = f"/api/v1/executions/{execution.public_id}/task-runs/{task}/force-close/"
    return client_of(user).post(address, {"reason": "stuck", **body}, format="json")


def test_an_administrator_asks_and_it_is_written_down(chief, execution, redis_server):
    assert ask(chief, execution).status_code == 202
    command = Command.objects.get()
    assert (command.verb, command.by, command.payload) == (
        "force_close",
        chief,
        {"reason": "stuck"},
    )
    assert command.attempt.task_run.task_id == "TASK-001"


def test_the_reason_is_needed(chief, execution):
    answer = ask(chief, execution, reason=" ")
    assert answer.status_code == 400
    assert answer.json()["faults"][0]["place"] == "reason"


def test_what_has_ended_is_not_closed(chief, execution):
    assert ask(chief, execution, task="TASK-002").status_code == 409
    assert not Command.objects.exists()


@pytest.mark.parametrize(("task", "body"), [("TASK-009", {}), ("TASK-001", {"attempt": 7})])
def test_what_is_not_there_is_not_found(chief, execution, task, body):
    assert ask(chief, execution, task=task, **body).status_code == 404


def test_an_operator_may_not(operator, execution):
    assert ask(operator, execution).status_code == 403


@pytest.fixture
def pages(chief, settings):
    backend = "django.contrib.staticfiles.storage.StaticFilesStorage"
    settings.STORAGES = {**settings.STORAGES, "staticfiles": {"BACKEND": backend}}
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "servestatic" not in name]
    client = Client()
    client.force_login(chief)
    return client


def test_its_page_offers_it_to_administrators_only(pages, operator, execution, redis_server):
    address = f"/executions/{execution.public_id}/tasks/TASK-001/"
    assert "Close by force" in pages.get(address).content.decode()
    pages.force_login(operator)
    assert "Close by force" not in pages.get(address).content.decode()


def test_the_page_asks_with_a_reason_only(pages, execution, redis_server):
    address = f"/executions/{execution.public_id}/tasks/TASK-001/force-close/1/"
    assert "Say why" in pages.post(address, {"reason": ""}, follow=True).content.decode()
    assert not Command.objects.exists()
    answer = pages.post(address, {"reason": "stuck"}, follow=True)
    assert "being closed by force" in answer.content.decode()
    assert Command.objects.get().payload == {"reason": "stuck"}
