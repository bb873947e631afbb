"""Health, readiness, metrics, tokens and documents."""

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.db import OperationalError
from django.utils import timezone

from executions import health, selectors, services
from executions.models import Attempt, Execution, Leadership, TaskRun, WorkerProcess
from tests.api.conftest import member
from tests.api.records import finished

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def asked_for_the_first_time():
    forget()


def forget():
    health.ready_kept.forget()
    health.metrics_kept.forget()


def test_health_needs_nothing(client):
    assert client.get("/healthz").json() == {"status": "ok"}


def test_ready_says_what_is_missing(client, redis_server):
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {
        "status": "unavailable",
        "database": "ok",
        "redis": "ok",
        "dispatcher": "no dispatcher leads",
        "worker": "no worker accepts work",
        "permits": "ok",
    }


def test_ready_with_a_leader_and_a_worker(client, redis_server):
    now = timezone.now()
    Leadership.objects.update_or_create(
        pk=1, defaults={"holder": "x", "expires_at": now + timedelta(seconds=9)}
    )
    worker = {"host": "h", "pid": 1, "slots": 2, "first_seen_at": now, "heartbeat_at": now}
    WorkerProcess.objects.create(incarnation="w", **worker)
    assert client.get("/readyz").status_code == 200
    WorkerProcess.objects.update(heartbeat_at=now - timedelta(minutes=1))
    forget()
    assert client.get("/readyz").json()["worker"] == "no worker accepts work"


NAMED = 'pexec_limit_maximum{limit="team:dev_team"} 10.0'


def test_metrics_name_limits_to_who_may_see_them(client, viewer, stranger):
    text = client.get("/metrics").content.decode()
    assert "dev_team" not in text
    assert "pexec_workers 0.0" in text
    client.force_login(stranger)
    assert "dev_team" not in client.get("/metrics").content.decode()
    client.force_login(viewer)
    assert NAMED in client.get("/metrics").content.decode()


def test_metrics_take_a_token_as_prometheus_sends_it(client, viewer):
    token, _ = services.token_make(user=viewer, scope=services.Scope.READ, days=1)
    asked = client.get("/metrics", headers={"Authorization": f"Token {token}"})
    assert NAMED in asked.content.decode()
    assert client.get("/metrics", headers={"Authorization": "Token x"}).status_code == 401


@pytest.mark.parametrize("path", ["/readyz", "/metrics"])
def test_many_who_ask_cost_one_look_at_the_tables(
    client, redis_server, path, django_assert_num_queries, django_assert_max_num_queries
):
    with django_assert_max_num_queries(30):
        told = client.get(path).content
    with django_assert_num_queries(0):
        assert {client.get(path).content for _ in range(20)} == {told}


def test_who_asks_a_moment_later_is_told_what_is_so_then(client, redis_server, monkeypatch):
    monkeypatch.setattr(health.ready_kept, "_kept_s", 0.0)
    assert client.get("/readyz").json()["dispatcher"] != "ok"
    expires_at = timezone.now() + timedelta(seconds=9)
    Leadership.objects.update_or_create(pk=1, defaults={"expires_at": expires_at})
    assert client.get("/readyz").json()["dispatcher"] == "ok"


def test_a_database_that_is_away_says_nothing_of_itself(client, monkeypatch, redis_server):
    def away(**_filters):
        raise OperationalError('connection to server at "db.internal" failed for user "pexec"')

    monkeypatch.setattr(Leadership.objects, "filter", away)
    monkeypatch.setattr(WorkerProcess.objects, "filter", away)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["dispatcher"] == answer.json()["worker"] == "does not answer"


def test_an_address_that_is_none_is_a_problem_under_rest(client):
    for path in ("/api/v1/nonsense/", "/api/nonsense"):
        answer = client.get(path)
        assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")
        assert answer.json()["status"] == 404


def test_permits_that_contradict_attempts_are_an_alarm(client, redis_server):
    execution = finished(member("author"))
    attempt = Attempt.objects.filter(execution=execution).first()
    Attempt.objects.filter(pk=attempt.pk).update(released_at=None)
    assert client.get("/readyz").json()["permits"] == (
        "1 ended attempts hold a permit; 1 permits are held for what is over or waits"
    )
    text = client.get("/metrics").content.decode()
    assert 'pexec_permit_drift{how="ended attempts hold a permit"} 1.0' in text
    assert 'pexec_permit_drift{how="task runs in flight have no attempt"} 0.0' in text


def test_work_in_flight_without_an_attempt_is_an_alarm(client, redis_server):
    execution = finished(member("author"))
    Execution.objects.filter(pk=execution.pk).update(state="running")
    TaskRun.objects.filter(execution=execution, task_id="TASK-001").update(state="running")
    Attempt.objects.filter(execution=execution, task_run__task_id="TASK-002").update(
        state="running"
    )
    assert client.get("/readyz").json()["permits"] == (
        "1 live attempts hold none; 1 task runs in flight have no attempt"
    )


@pytest.mark.parametrize("address", ["/api/v1/executions/", "/executions/"])
def test_a_database_that_is_away_is_said_and_nothing_is_promised(
    admin_client, monkeypatch, address
):
    def away(*_args, **_options):
        raise OperationalError("server closed the connection")

    monkeypatch.setattr(selectors, "executions_filtered", away)
    admin_client.raise_request_exception = False
    answer = admin_client.get(address)
    assert answer.status_code == 503
    assert answer["Retry-After"] == "5"
    assert "Nothing was saved" in answer.content.decode()
    is_rest = address.startswith("/api/")
    assert (answer["Content-Type"] == "application/problem+json") == is_rest


def test_a_token_opens_the_api_until_it_is_ended(client):
    get_user_model().objects.create_superuser("ann", password="correct horse")
    given = {"username": "ann", "password": "wrong"}
    assert client.post("/api/v1/tokens/", given, "application/json").status_code == 401
    given["password"] = "correct horse"
    token = client.post("/api/v1/tokens/", given, "application/json").json()["token"]
    headers = {"Authorization": f"Token {token}"}
    assert client.get("/api/v1/executions/", headers=headers).status_code == 200
    assert client.post("/api/v1/tokens/end/", headers=headers).status_code == 204
    assert client.get("/api/v1/executions/", headers=headers).status_code == 401


def test_the_document_and_its_page_are_there(admin_client, settings):
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "servestatic" not in name]
    document = admin_client.get("/api/v1/schema/", headers={"Accept": "application/json"}).json()
    assert "/api/v1/executions/{public_id}/report/" in document["paths"]
    assert admin_client.get("/api/docs/").status_code == 200
