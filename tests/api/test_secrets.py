"""Secrets over REST: values go in, nothing that comes back holds one, and who did it is told."""

import json

import pytest

from executions.models import AuditEntry, Secret
from executions.models.secrets import secret_values
from tests.api.conftest import client_of, member

pytestmark = pytest.mark.django_db
ALL = "/api/v1/secrets/"
ONE = f"{ALL}DEPLOY_KEY/"
FIRST, SECOND = "first-value-1\n ", "second-value-2"


@pytest.fixture
def chief(db):
    return client_of(member("administrator", "chief"))


@pytest.fixture
def made(chief):
    body = {"name": "DEPLOY_KEY", "value": FIRST, "description": "of the shop"}
    return chief.post(ALL, body, format="json")


def test_a_value_goes_in_and_no_answer_holds_it(chief, made):
    assert made.status_code == 201
    assert secret_values(["DEPLOY_KEY"]) == {"DEPLOY_KEY": FIRST}
    answers = [
        made,
        chief.get(ALL),
        chief.get(ONE),
        chief.put(ONE, {"value": SECOND}, format="json"),
    ]
    assert [answer.status_code for answer in answers] == [201, 200, 200, 200]
    sealed = Secret.objects.get().sealed
    for answer in answers:
        assert "value" not in json.dumps(answer.json())
        assert sealed not in json.dumps(answer.json())
    assert answers[1].json()["results"][0].keys() == {"name", "description", "changed_at"}


def test_replacing_keeps_the_description_unless_another_is_given(chief, made):
    chief.put(ONE, {"value": SECOND}, format="json")
    assert secret_values(["DEPLOY_KEY"]) == {"DEPLOY_KEY": SECOND}
    assert Secret.objects.get().description == "of the shop"
    chief.put(ONE, {"value": SECOND, "description": ""}, format="json")
    assert Secret.objects.get().description == ""


def test_it_is_removed_and_then_not_there(chief, made):
    assert chief.delete(ONE).status_code == 204
    for verb in (chief.get, chief.delete):
        assert verb(ONE).status_code == 404
    assert chief.put(ONE, {"value": SECOND}, format="json").status_code == 404


def test_who_did_it_is_told_and_nothing_of_the_values(chief, made):
    chief.put(ONE, {"value": SECOND}, format="json")
    chief.delete(ONE)
    told = list(AuditEntry.objects.filter(target="secret DEPLOY_KEY").order_by("id"))
    assert [(e.by, e.verb) for e in told] == [("chief", v) for v in ("add", "change", "delete")]
    assert "value" not in str([e.details for e in told])


def test_a_name_that_is_taken_is_not_overwritten(chief, made):
    again = chief.post(ALL, {"name": "DEPLOY_KEY", "value": SECOND}, format="json")
    assert again.status_code == 409
    assert secret_values(["DEPLOY_KEY"]) == {"DEPLOY_KEY": FIRST}


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        ({"value": "short"}, "value"),
        ({"value": "x" * 65537}, "value"),
        ({"value": "with a \0 in it"}, "value"),
        ({"value": None}, "value"),
        ({"name": "no name"}, "name"),
        ({"name": "../up"}, "name"),
        ({"description": "d" * 201}, "description"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place_and_without_its_value(chief, wrong, place):
    answer = chief.post(ALL, {"name": "A", "value": FIRST, **wrong}, format="json")
    assert answer.status_code == 400
    assert [fault["place"] for fault in answer.json()["faults"]] == [place]
    assert FIRST.strip() not in answer.content.decode()
    assert not Secret.objects.exists()


def test_who_may_use_secrets_in_tasks_is_not_told_their_names(made):
    assert client_of(member("runner admin")).get(ALL).status_code == 403
