"""Executions over REST: submitted once, listed, asked of; refused with every fault."""

import pytest

from executions import services
from executions.models import Command, Execution, TaskGroup, TaskRun, Team
from executions.models.snapshots import group_of
from executions.scheduling.graph import demand_numbers
from tests.api.conftest import client_of, member, spec
from tests.api.records import finished

pytestmark = pytest.mark.django_db
ADDRESS = "/api/v1/executions/"


def submit(client, data, **headers):
    return client.post(ADDRESS, data, format="json", headers=headers)


def test_a_spec_is_accepted_as_it_was_given(as_author):
    answer = submit(
        as_author,
        {
            "spec": spec(
                {"id": "A", "duration_s": 2, "team": "dev_team"},
                {"id": "B", "depends_on": ["A"]},
                max_concurrency=3,
            )
        },
    )
    assert answer.status_code == 201
    told = answer.json()
    assert answer["Location"] == f"{ADDRESS}{told['id']}/"
    assert (told["status"], told["total"], told["counts"]) == (
        "pending", 2, {"queued": 1, "blocked": 1},
    )  # fmt: skip
    execution = Execution.objects.get()
    rows = list(TaskRun.objects.order_by("position"))
    group = group_of(execution, rows)
    assert (group.max_concurrency, group.tasks[1].depends_on) == (3, ("A",))
    assert {row.task_id: row.demand for row in rows} == demand_numbers(group)
    assert [(row.duration_s, row.duration_source) for row in rows] == [(2, "task"), (2, "group")]


def test_a_saved_group_runs_by_key_and_by_name(as_author):
    made = as_author.post("/api/v1/task-groups/", spec(name="nightly"), format="json").json()
    for key in (made["id"], "nightly", str(made["id"])):
        answer = submit(as_author, {"task_group": key})
        assert answer.status_code == 201
        assert answer.json()["task_group"] == made["id"]


def test_every_fault_is_told_and_nothing_saved(as_author):
    bad = spec({"id": "A", "depends_on": ["B"], "team": "x"}, {"id": "B", "depends_on": ["A", "Z"]})
    answer = submit(as_author, {"spec": {**bad, "colour": 1}})
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    assert {fault["place"]: fault["message"] for fault in answer.json()["faults"]} == {
        "colour": "unknown field",
        "tasks[0].team": "no team 'x'",
        "tasks[1].depends_on[1]": "no task 'Z'",
        "tasks[0].depends_on": "a cycle: A → B → A",
    }
    assert not Execution.objects.exists()


@pytest.mark.parametrize(
    "body",
    [
        "{}",
        '{"task_group": 1, "spec": {}}',
        '{"task_group": 999}',
        '{"task_group": {"a": []}}',
        '{"spec": null}',
        '{"spec": {"name": "g", "name": "h"}}',
        '{"spec": {"name": NaN}}',
        '{"spec": 1, "more": 2}',
        "[]",
        "[1",
        "\x00",
        '{"spec": {"name": "\\u0000"}}',
    ],
)
def test_a_broken_body_is_a_problem(as_author, body):
    answer = as_author.post(ADDRESS, body, content_type="application/json")
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["faults"]


def test_the_same_key_gives_the_same_execution_and_another_request_a_conflict(as_author):
    first = submit(as_author, {"spec": spec()}, **{"Idempotency-Key": "k"})
    again = submit(as_author, {"spec": spec()}, **{"Idempotency-Key": "k"})
    other = submit(as_author, {"spec": spec(name="h")}, **{"Idempotency-Key": "k"})
    assert first.json()["id"] == again.json()["id"]
    assert other.status_code == 409
    assert Execution.objects.count() == 1


def test_a_key_belongs_to_its_user(as_author):
    for client in (as_author, client_of(member("author", "bob"))):
        assert submit(client, {"spec": spec()}, **{"Idempotency-Key": "k"}).status_code == 201
    assert Execution.objects.count() == 2


def test_who_may_do_what(as_viewer, as_stranger, as_author, author):
    execution = finished(author)
    one = f"{ADDRESS}{execution.public_id}/"
    assert submit(as_viewer, {"spec": spec()}).status_code == 403
    assert as_viewer.post(f"{one}cancel/").status_code == 403
    assert as_viewer.get(one).status_code == 200
    assert as_stranger.get(one).status_code == 403
    assert as_author.get(f"{ADDRESS}PEXEC-1/").status_code == 404
    assert as_author.get(f"{ADDRESS}nonsense/").status_code == 404


def test_without_signing_in_nothing_is_told(client, db):
    assert client.get(ADDRESS).status_code == 401


def test_dangerous_tasks_need_the_permission_to_define_them(as_author):
    body = {"spec": spec({"id": "A", "runner": "shell", "payload": {"command": "true"}})}
    assert submit(as_author, body).status_code == 403
    assert submit(client_of(member("runner admin")), body).status_code == 201


def test_running_is_not_defining(as_author, as_operator):
    """An operator runs what authors saved, and brings no spec."""
    assert submit(as_operator, {"spec": spec()}).status_code == 403
    made = as_author.post("/api/v1/task-groups/", spec(), format="json").json()
    assert submit(as_operator, {"task_group": made["id"]}).status_code == 201


def test_a_run_of_another_teams_group_is_not_there(as_author, as_viewer, viewer):
    made = as_author.post("/api/v1/task-groups/", spec(), format="json").json()
    team = Team.objects.get(name="pm_team")
    public_id = submit(as_author, {"task_group": made["id"]}).json()["id"]
    execution = Execution.objects.get()
    execution.group.owning_teams.add(team)
    assert as_viewer.get(f"{ADDRESS}{public_id}/").status_code == 404
    assert as_viewer.get(ADDRESS).json()["count"] == 0
    assert as_viewer.get(f"/api/v1/task-groups/{made['id']}/").status_code == 404
    team.members.add(viewer)
    assert as_viewer.get(f"{ADDRESS}{public_id}/").status_code == 200


@pytest.mark.parametrize("how", ["service", "many at once"])
def test_a_run_stays_with_its_teams_when_its_group_is_deleted(as_author, as_viewer, viewer, how):
    made = as_author.post("/api/v1/task-groups/", spec(), format="json").json()
    group = TaskGroup.objects.get(pk=made["id"])
    team = Team.objects.get(name="pm_team")
    group.owning_teams.add(team)
    public_id = submit(as_author, {"task_group": made["id"]}).json()["id"]
    group.delete() if how == "service" else TaskGroup.objects.all().delete()
    assert as_viewer.get(f"{ADDRESS}{public_id}/").status_code == 404
    execution = Execution.objects.get()
    execution.state = "failed"
    execution.save()
    again = services.execution_retry_failed(execution=execution, user=None)
    assert as_viewer.get(f"{ADDRESS}{again.public_id}/").status_code == 404
    team.members.add(viewer)
    assert as_viewer.get(ADDRESS).json()["count"] == 2


def test_verbs_are_written_down_for_the_dispatcher(as_author, author):
    public_id = submit(as_author, {"spec": spec()}).json()["id"]
    for verb in ("pause", "resume", "cancel"):
        assert as_author.post(f"{ADDRESS}{public_id}/{verb}/").status_code == 202
    assert list(Command.objects.order_by("pk").values_list("verb", "by__username")) == [
        ("pause", "author"),
        ("resume", "author"),
        ("cancel", "author"),
    ]


def test_a_finished_execution_cannot_be_paused_and_its_rest_can_be_retried(as_author, author):
    execution = finished(author)
    one = f"{ADDRESS}{execution.public_id}/"
    assert as_author.post(f"{one}pause/").status_code == 409
    retried = as_author.post(f"{one}retry-failed/").json()
    assert retried["parent_execution"] == execution.public_id
    rows = as_author.get(f"{ADDRESS}{retried['id']}/task-runs/").json()["results"]
    assert [(row["id"], row["depends_on"], row["status"]) for row in rows] == [
        ("TASK-003", [], "queued"),
        ("TASK-005", ["TASK-003"], "blocked"),
    ]
    assert as_author.post(f"{ADDRESS}{retried['id']}/retry-failed/").status_code == 409


def retried(client, execution, **asked):
    return client.post(f"{ADDRESS}{execution.public_id}/retry-failed/", asked, format="json")


def tasks_of(answer):
    return list(
        TaskRun.objects.filter(execution__pk=answer.json()["id"].removeprefix("PEXEC-"))
        .order_by("position")
        .values_list("task_id", flat=True)
    )


@pytest.mark.parametrize(
    ("asked", "tried"),
    [
        ({"only": ["TASK-003"]}, ["TASK-003"]),
        ({"only": ["TASK-003"], "with_skipped": True}, ["TASK-003", "TASK-005"]),
        ({"only": ["TASK-005"]}, ["TASK-003", "TASK-005"]),
        ({"only": None}, ["TASK-003", "TASK-005"]),
    ],
)
def test_a_retry_takes_the_chosen_and_what_they_need(as_author, author, asked, tried):
    assert tasks_of(retried(as_author, finished(author), **asked)) == tried


@pytest.mark.parametrize("only", [["TASK-001"], ["TASK-003", "NONE"], []])
def test_a_retry_of_what_is_not_left_is_refused(as_author, author, only):
    execution = finished(author)
    answer = retried(as_author, execution, only=only)
    assert answer.status_code == 409
    assert all(name in answer.json()["detail"] for name in only if name != "TASK-003")
    assert not Execution.objects.filter(parent=execution).exists()


def test_what_was_skipped_for_want_of_two_comes_only_with_both(as_author, author):
    tasks = [
        {"id": "TASK-003"},
        {"id": "OTHER"},
        {"id": "BOTH", "depends_on": ["TASK-003", "OTHER"]},
    ]
    execution = finished(author, spec(*tasks))
    TaskRun.objects.filter(task_id="OTHER").update(state="failed")
    one = retried(as_author, execution, only=["TASK-003"], with_skipped=True)
    assert tasks_of(one) == ["TASK-003"]
    both = retried(as_author, execution, only=["TASK-003", "OTHER"], with_skipped=True)
    assert tasks_of(both) == ["TASK-003", "OTHER", "BOTH"]


def test_lists_are_paged_and_filtered(as_author, author):
    finished(author)
    submit(as_author, {"spec": spec(name="one")})
    submit(as_author, {"spec": spec(name="two")})
    page = as_author.get(ADDRESS, {"page_size": 2}).json()
    assert (page["count"], len(page["results"])) == (3, 2)
    assert [e["name"] for e in as_author.get(ADDRESS, {"q": "one"}).json()["results"]] == ["one"]
    assert as_author.get(ADDRESS, {"state": "open"}).json()["count"] == 2
    assert as_author.get(ADDRESS, {"page": "99"}).status_code == 404
