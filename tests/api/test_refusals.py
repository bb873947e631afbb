"""What REST refuses before it looks closer: every answer a problem, each fault with its place."""

import json
from urllib.parse import urljoin

import pytest

from executions.api import parsing
from executions.api.parsing import SmallJsonParser
from tests.api.conftest import client_of, member
from tests.api.records import finished

pytestmark = pytest.mark.django_db


def sent(client, path, body, kind="application/json", verb="POST"):
    return client.generic(verb, path, body, content_type=kind)


def problem(answer, status):
    assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json")
    return answer.json()


def test_a_body_at_the_limit_is_read_and_one_beyond_is_too_large(as_author, monkeypatch):
    monkeypatch.setattr(parsing.StrictParser, "max_bytes", 100)
    for kind in ("application/json", "application/yaml"):
        at_limit = sent(as_author, "/api/v1/executions/", "{}".ljust(100), kind)
        assert problem(at_limit, 400)["detail"] == "The request has faults."
        found = problem(sent(as_author, "/api/v1/executions/", "{}".ljust(101), kind), 413)
        assert found["title"] == "Content Too Large"
        assert found["faults"][0]["message"] == "has more than the 100 bytes that are taken"


def test_who_has_not_signed_in_sends_little(client):
    body = json.dumps({"username": "x", "password": "y" * SmallJsonParser.max_bytes})
    problem(sent(client, "/api/v1/tokens/", body), 413)
    problem(sent(client, "/api/v1/tokens/", "a: 1", "application/yaml"), 415)


def test_a_great_many_keys_given_twice_are_told_in_no_time(as_author):
    pairs = ",".join(f'"k{n}":1' for n in range(100_000))
    found = problem(sent(as_author, "/api/v1/executions/", f"{{{pairs},{pairs}}}"), 400)
    assert found["faults"][0]["message"] == "key 'k0' is given twice"
    assert len(found["faults"]) == 1001  # and how many more


@pytest.mark.usefixtures("redis_server")
@pytest.mark.parametrize(
    ("verb", "path", "body", "place"),
    [
        ("POST", "retry-failed/", "[1]", ""),
        ("POST", "what-if/", '{"set": {"team.a": -1}}', "set.team.a"),
        ("POST", "what-if/", '{"limits": {"team.a": 1}}', "limits"),
        ("GET", "report/?format=pdf", "", "format"),
        ("GET", "task-runs/?page_size=many", "", "page_size"),
        ("GET", "../?page_size=0", "", "page_size"),
        ("GET", "task-runs/?state=failed,bogus", "", "state"),
        ("GET", "../?state=open,bogus", "", "state"),
        ("GET", "task-runs/TASK-001/output/?after=-1", "", "after"),
    ],
)
def test_each_fault_has_its_place(author, verb, path, body, place):
    address = urljoin(f"/api/v1/executions/{finished(author).public_id}/", path)
    found = problem(sent(client_of(author), address, body, verb=verb), 400)
    assert [fault["place"] for fault in found["faults"]] == [place]


@pytest.mark.usefixtures("redis_server")
def test_every_limit_that_cannot_be_set_is_told_at_its_place(author):
    address = f"/api/v1/executions/{finished(author).public_id}/what-if/"
    body = json.dumps({"set": {"team.a": 1, "bogus": 2, "max_concurrency": 0, "team.": 1}})
    found = problem(sent(client_of(author), address, body), 400)
    assert [fault["place"] for fault in found["faults"]] == [
        "set.bogus",
        "set.max_concurrency",
        "set.team.",
    ]


def test_a_field_that_there_is_not_is_told_beside_the_one_that_is_missing():
    chief = client_of(member("administrator"))
    found = problem(sent(chief, "/api/v1/teams/dev_team/", '{"maximun": 3}', verb="PATCH"), 400)
    assert found["faults"] == [
        {"place": "maximum", "message": "This field is required."},
        {"place": "maximun", "message": "unknown field"},
    ]


@pytest.mark.parametrize("name", ["since", "until", "format"])
def test_a_filter_of_the_audit_that_cannot_be_read_is_no_filter(name):
    answer = client_of(member("administrator")).get(f"/api/v1/audit/?{name}=yesterday")
    assert [fault["place"] for fault in problem(answer, 400)["faults"]] == [name]


@pytest.mark.parametrize(
    ("verb", "path", "kind", "status"),
    [
        ("PUT", "/api/v1/executions/", "application/json", 405),
        ("DELETE", "/api/v1/teams/dev_team/", "application/json", 405),
        ("POST", "/api/v1/executions/", "application/x-www-form-urlencoded", 415),
        ("POST", "/api/v1/task-groups/", "text/plain", 415),
        ("POST", "/api/v1/executions/", "multipart/form-data; boundary=x", 415),
    ],
)
def test_another_method_and_another_kind_of_body_are_named(as_author, verb, path, kind, status):
    answer = sent(as_author, path, "x", kind, verb)
    assert problem(answer, status)["status"] == status
    assert answer["Allow"] or status == 415


def test_who_forgets_the_last_slash_is_told_and_not_sent_on_without_the_body(as_author, settings):
    for settings.DEBUG in (False, True):
        answer = sent(as_author, "/api/v1/task-groups", "{}")
        if not settings.DEBUG:  # there Django answers with its own page
            assert "ends with a slash: /api/v1/task-groups/" in problem(answer, 404)["detail"]
        assert answer.status_code == 404
    settings.DEBUG = False
    assert problem(sent(as_author, "/api/v1/bogus", "{}"), 404)["detail"] == "Not found."
    assert as_author.get("/api/v1/task-groups").headers["Location"] == "/api/v1/task-groups/"


def test_a_host_that_the_site_is_not_is_a_problem_under_rest_only(as_author):
    found = problem(as_author.get("/api/v1/executions/", headers={"Host": "evil.example"}), 400)
    assert "ALLOWED_HOSTS" in found["detail"]
    page = as_author.get("/executions/", headers={"Host": "evil.example"})
    assert (page.status_code, page["Content-Type"]) == (400, "text/html; charset=utf-8")
