"""How far a token goes: every route's least scope is written down; a new one without fails."""

import importlib
from datetime import timedelta

import pytest
from django.apps import apps
from django.utils import timezone
from knox.models import AuthToken

from executions import selectors, services
from executions.models import TokenScope
from tests.api import test_roles
from tests.api.conftest import member
from tests.api.document import DocumentedClient
from tests.api.test_roles import ANSWERS, address

pytestmark = pytest.mark.django_db
names = test_roles.names

ORDER = ("read", "operate", "configure")
OPERATE = {
    "api-executions", "api-cancel", "api-pause", "api-resume", "api-retry-failed",
    "api-work-claim", "api-work-heartbeat", "api-work-complete", "api-work-fail",
    "api-work-hand-back",
}  # fmt: skip
CONFIGURE = {
    "api-groups", "api-group", "api-force-close", "api-team", "api-task-type", "api-resource",
    "api-secrets", "api-secret",
}  # fmt: skip
READ = {"api-plan", "api-what-if", "api-token", "api-token-end"}


LOOKING_TOO = {"api-secrets", "api-secret"}


def needed(verb, route):
    if route in LOOKING_TOO:
        return "configure"
    if verb == "get" or route in READ:
        return "read"
    return "operate" if route in OPERATE else "configure"


def client_with(user, scope):
    client = DocumentedClient()
    body = {"username": user.username, "password": "the right one", "scope": scope, "days": 7}
    made = client.post("/api/v1/tokens/", body, format="json")
    assert (made.status_code, made.json()["scope"]) == (201, scope)
    client.credentials(HTTP_AUTHORIZATION=f"Token {made.json()['token']}")
    return client


@pytest.fixture
def chief(db):
    user = member("administrator", "chief")
    user.set_password("the right one")
    user.save()
    return user


@pytest.mark.parametrize("scope", ORDER)
def test_a_token_goes_as_far_as_its_scope_and_no_further(scope, chief, names):
    client = client_with(chief, scope)
    refused = set()
    for verb, route in sorted(ANSWERS, key=lambda asked: (asked[1] == "api-token-end", asked)):
        answer = getattr(client, verb)(address(route, names), {}, format="json")
        if answer.status_code == 403:
            assert "this token may not" in answer.json()["detail"]
            refused.add((verb, route))
    beyond = {a for a in ANSWERS if ORDER.index(needed(*a)) > ORDER.index(scope)}
    assert refused == beyond


def test_every_route_that_changes_something_has_its_scope():
    routes = {route for verb, route in ANSWERS if verb != "get"}
    assert routes == (OPERATE | CONFIGURE | READ)


def test_a_spec_brought_along_is_configuring(chief):
    body = {"spec": {"name": "x", "tasks": [{"id": "A", "runner": "noop"}]}}
    answer = client_with(chief, "operate").post("/api/v1/executions/", body, format="json")
    assert answer.status_code == 403


def test_a_token_goes_no_further_than_was_asked_for(chief):
    body = {"username": "chief", "password": "the right one"}
    assert DocumentedClient().post("/api/v1/tokens/", body, format="json").json()["scope"] == "read"


def test_a_token_made_another_way_looks_only(chief):
    made, _ = AuthToken.objects.create(chief)
    assert selectors.token_scope(made) == "read"


def test_tokens_from_before_there_were_scopes_keep_theirs(chief):
    old, _ = AuthToken.objects.create(chief)
    services.token_make(user=chief, scope=services.Scope.OPERATE, days=1)
    migration = importlib.import_module("executions.migrations.0012_old_tokens")
    migration.keep_as_they_were(apps, None)
    assert selectors.token_scope(old) == "configure"
    others = TokenScope.objects.exclude(token=old)
    assert [scope.scope for scope in others] == ["operate"]


def test_a_token_ends_when_it_was_to(chief):
    body = {"username": "chief", "password": "the right one", "days": 7}
    made = DocumentedClient().post("/api/v1/tokens/", body, format="json").json()
    ends = timezone.datetime.fromisoformat(made["expires_at"].replace("Z", "+00:00"))
    assert abs(ends - timezone.now() - timedelta(days=7)) < timedelta(minutes=1)


@pytest.mark.parametrize("wrong", [{"scope": "all"}, {"days": 0}, {"days": 1000}])
def test_a_scope_or_a_time_that_cannot_be_is_refused_with_its_place(chief, wrong):
    body = {"username": "chief", "password": "the right one", **wrong}
    answer = DocumentedClient().post("/api/v1/tokens/", body, format="json")
    assert answer.status_code == 400
    assert [fault["place"] for fault in answer.json()["faults"]] == [*wrong]
