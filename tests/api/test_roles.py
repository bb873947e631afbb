"""Every REST route for every role: the answer is written down; a new route without one fails."""

import pytest

from executions import services
from executions.api.urls import v1
from tests.api.conftest import client_of, member, person, spec
from tests.api.records import finished

pytestmark = pytest.mark.django_db

ROLES = ("stranger", "viewer", "operator", "author", "runner admin", "administrator")
SEE = (403, 200, 200, 200, 200, 200)
NOTHING = {}

ANSWERS = {
    ("get", "api-groups"): SEE,
    ("post", "api-groups"): (403, 403, 403, 400, 400, 400),
    ("get", "api-group"): SEE,
    ("put", "api-group"): (403, 403, 403, 400, 400, 400),
    ("patch", "api-group"): (403, 403, 403, 200, 200, 200),
    ("delete", "api-group"): (403, 403, 403, 204, 204, 204),
    ("get", "api-plan"): SEE,
    ("post", "api-plan"): SEE,
    ("get", "api-executions"): SEE,
    ("post", "api-executions"): (403, 403, 400, 400, 400, 400),
    ("get", "api-execution"): SEE,
    ("get", "api-task-runs"): SEE,
    ("get", "api-output"): SEE,
    ("post", "api-force-close"): (403, 403, 403, 403, 403, 400),
    ("get", "api-timeline"): SEE,
    ("get", "api-report"): SEE,
    ("post", "api-cancel"): (403, 403, 409, 409, 409, 409),
    ("post", "api-pause"): (403, 403, 409, 409, 409, 409),
    ("post", "api-resume"): (403, 403, 409, 409, 409, 409),
    ("post", "api-retry-failed"): (403, 403, 201, 201, 201, 201),
    ("get", "api-forecast"): SEE,
    ("post", "api-what-if"): SEE,
    ("get", "api-teams"): SEE,
    ("get", "api-team"): SEE,
    ("patch", "api-team"): (403, 403, 403, 403, 403, 400),
    ("get", "api-task-types"): SEE,
    ("get", "api-task-type"): SEE,
    ("patch", "api-task-type"): (403, 403, 403, 403, 403, 400),
    ("get", "api-resources"): SEE,
    ("get", "api-resource"): SEE,
    ("patch", "api-resource"): (403, 403, 403, 403, 403, 400),
    ("post", "api-work-claim"): (403, 403, 204, 204, 204, 204),
    ("post", "api-work-heartbeat"): (403, 403, 409, 409, 409, 409),
    ("post", "api-work-complete"): (403, 403, 409, 409, 409, 409),
    ("post", "api-work-fail"): (403, 403, 400, 400, 400, 400),
    ("post", "api-work-hand-back"): (403, 403, 409, 409, 409, 409),
    ("get", "api-secrets"): (403, 403, 403, 403, 403, 200),
    ("post", "api-secrets"): (403, 403, 403, 403, 403, 400),
    ("get", "api-secret"): (403, 403, 403, 403, 403, 200),
    ("put", "api-secret"): (403, 403, 403, 403, 403, 400),
    ("delete", "api-secret"): (403, 403, 403, 403, 403, 204),
    ("get", "api-audit"): (403, 403, 403, 403, 403, 200),
    ("post", "api-token"): (400,) * 6,
    ("post", "api-token-end"): (400,) * 6,
    ("get", "api-schema"): (200,) * 6,
    ("get", "api-spec-schema"): (200,) * 6,
}


def client_for(role: str):
    return client_of(person("stranger") if role == "stranger" else member(role, "asker"))


@pytest.fixture
def names(author):
    """What stands in addresses, each of something that is there."""
    execution = finished(author)
    services.secret_make(name="KEY", value="value-of-it", description="", user=author)
    body = spec(resources={"db": {}})
    made = client_of(author).post("/api/v1/task-groups/", body, format="json").json()
    return {
        "key": str(made["id"]),
        "public_id": execution.public_id,
        "task_id": "TASK-001",
        "token": "unknown",
    }


LIMIT_NAMES = {
    "teams/": "dev_team",
    "task-types/": "api_calls",
    "resources/": "db",
    "secrets/": "KEY",
}


def address(route: str, names: dict[str, str]) -> str:
    pattern = next(str(p.pattern) for p in v1 if p.name == route)
    for start, limit in LIMIT_NAMES.items():
        if pattern.startswith(start):
            names = {**names, "name": limit}
    for name, value in names.items():
        pattern = pattern.replace(f"<str:{name}>", value)
    return f"/api/v1/{pattern}"


@pytest.mark.parametrize("role", ROLES)
def test_each_role_gets_the_answer_written_down(role, names):
    client = client_for(role)
    expected = {asked: codes[ROLES.index(role)] for asked, codes in ANSWERS.items()}
    last = [asked for asked in ANSWERS if asked[0] == "delete"]
    found = {
        (verb, route): getattr(client, verb)(
            address(route, names), NOTHING, format="json"
        ).status_code
        if verb != "get"
        else client.get(address(route, names)).status_code
        for verb, route in [asked for asked in ANSWERS if asked not in last] + last
    }
    assert found == expected


def test_every_route_has_its_answers():
    assert {pattern.name for pattern in v1} == {route for _, route in ANSWERS}


def test_no_route_but_documents_and_sign_in_answers_the_unknown(client, names):
    open_to_all = {"api-schema", "api-spec-schema", "api-token"}
    for verb, route in ANSWERS.keys() - {(v, r) for v, r in ANSWERS if r in open_to_all}:
        answer = getattr(client, verb)(address(route, names))
        assert answer.status_code == 401, (verb, route)
        assert answer["Content-Type"] == "application/problem+json"
