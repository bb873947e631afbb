"""Task groups over REST: the body is the spec, and comes back as it was sent."""

import pytest

from executions.models import Resource, TaskGroup
from tests.api.conftest import spec

pytestmark = pytest.mark.django_db
ADDRESS = "/api/v1/task-groups/"
FULL = spec(
    {"id": "A", "title": "First", "priority": 90, "team": "dev_team", "task_type": "api_calls"},
    {
        "id": "B",
        "depends_on": ["A"],
        "required_resources": [{"id": "db", "exclusive": True}, {"id": "lic", "amount": 2}],
        "duration_s": 1.5,
        "timeout_ms": 10,
        "max_retries": 0,
        "runner": "sleep",
        "payload": {"seconds": 1},
    },
    max_concurrency=2,
    failure_strategy="fail_fast",
    limits={"team": {"dev_team": 1}},
    resources={"db": {}, "lic": {"capacity": 4}},
)


def test_a_group_comes_back_as_it_was_sent(as_author):
    made = as_author.post(ADDRESS, FULL, format="json")
    assert made.status_code == 201
    found = as_author.get(made["Location"]).json()
    assert found["owner"] == "author"
    assert found["tasks"][1]["required_resources"][1] == {
        "id": "lic", "exclusive": False, "amount": 2,
    }  # fmt: skip
    for name in ("name", "max_concurrency", "failure_strategy"):
        assert found[name] == FULL[name]
    assert Resource.objects.get(name="lic").capacity == 4
    assert as_author.put(made["Location"], found, format="json").json()["tasks"] == found["tasks"]


def test_yaml_is_taken_as_it_stands_in_files(as_author):
    text = "name: from-yaml\nplanning: off\ntasks:\n  - {id: A}\n  - {id: B, depends_on: [A]}\n"
    made = as_author.post(ADDRESS, text, content_type="application/yaml")
    assert made.status_code == 201
    assert made.json()["planning"] is False


def test_one_field_can_be_changed(as_author):
    address = as_author.post(ADDRESS, FULL, format="json")["Location"]
    changed = as_author.patch(address, {"max_concurrency": 7}, format="json").json()
    assert (changed["max_concurrency"], len(changed["tasks"])) == (7, 2)


def test_a_bad_change_changes_nothing(as_author):
    address = as_author.post(ADDRESS, FULL, format="json")["Location"]
    answer = as_author.patch(address, {"tasks": [{"id": "X", "depends_on": ["X"]}]}, format="json")
    assert answer.status_code == 400
    assert [t["id"] for t in as_author.get(address).json()["tasks"]] == ["A", "B"]


def test_a_taken_name_is_a_fault(as_author):
    as_author.post(ADDRESS, spec(), format="json")
    answer = as_author.post(ADDRESS, spec(), format="json")
    assert answer.json()["faults"][0]["place"] == "name"
    assert TaskGroup.objects.count() == 1


def test_lists_and_deletes(as_author, as_viewer):
    address = as_author.post(ADDRESS, spec(), format="json")["Location"]
    (row,) = as_viewer.get(ADDRESS).json()["results"]
    assert (row["name"], row["tasks"], row["owner"]) == ("g", 1, "author")
    assert as_viewer.delete(address).status_code == 403
    assert as_author.delete(address).status_code == 204
    assert as_author.get(address).status_code == 404


def test_viewers_and_strangers_save_nothing(as_viewer, as_stranger):
    assert as_viewer.post(ADDRESS, spec(), format="json").status_code == 403
    assert as_stranger.get(ADDRESS).status_code == 403


def test_the_schema_of_specs_and_the_api_document_are_there(client):
    schema = client.get("/api/v1/schema/task-group.json").json()
    assert schema["required"] == ["name", "tasks"]
