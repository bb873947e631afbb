"""External work over REST: one taker, who keeps it alive and answers for it."""

import pytest

from executions import selectors
from executions.models import Attempt, Command, Execution, TaskGroup, TaskRun, Team
from tests.api.conftest import client_of, person, spec

pytestmark = pytest.mark.django_db
CLAIM = "/api/v1/work/claim/"


@pytest.fixture
def offered(as_author):
    task = {"id": "A", "runner": "external", "team": "pm_team", "payload": {"instructions": "sign"}}
    as_author.post("/api/v1/executions/", {"spec": spec(task)}, format="json")
    run = TaskRun.objects.get()
    return Attempt.objects.create(
        task_run=run,
        execution=run.execution,
        number=1,
        token="secret",
        state="dispatched",
        dispatched_at=run.since,
    )


@pytest.fixture
def as_member(operator):
    Team.objects.get(name="pm_team").members.add(operator)
    return client_of(operator)


def test_a_member_takes_the_work_and_answers_for_it(as_member, offered):
    work = as_member.post(CLAIM, {"team": "pm_team"}, format="json").json()
    assert (work["task"], work["payload"]) == ("A", {"instructions": "sign"})
    one = f"/api/v1/work/{work['token']}/"
    alive = as_member.post(f"{one}heartbeat/", {"progress": 40, "line": "half"}, format="json")
    assert alive.status_code == 204
    offered.refresh_from_db()
    assert (offered.progress, offered.progress_line) == (40, "half")
    assert (
        as_member.post(f"{one}complete/", {"result": {"ok": 1}}, format="json").status_code == 204
    )
    assert list(Command.objects.order_by("pk").values_list("verb", "payload")) == [
        ("claim", {}),
        ("complete", {"result": {"ok": 1}}),
    ]


def test_a_result_that_is_too_large_is_refused_and_the_work_stays_taken(as_member, offered):
    as_member.post(CLAIM)
    one = f"/api/v1/work/{offered.token}/complete/"
    answer = as_member.post(one, {"result": "x" * 600_000}, format="json")
    assert answer.status_code == 400
    assert "more than 524288 bytes" in answer.json()["detail"]
    assert as_member.post(one, {"result": "x"}, format="json").status_code == 204


def test_the_first_answer_counts_and_there_is_no_second(as_member, offered):
    one = f"/api/v1/work/{as_member.post(CLAIM).json()['token']}/"
    assert as_member.post(f"{one}complete/", {"result": 1}, format="json").status_code == 204
    for verb, body in (("complete", {"result": 2}), ("fail", {"error": "x"}), ("heartbeat", {})):
        assert as_member.post(f"{one}{verb}/", body, format="json").status_code == 409
    assert Command.objects.filter(verb="complete").count() == 1


def test_only_one_takes_it(as_member, offered):
    other = person("other", "add_execution")
    Team.objects.get(name="pm_team").members.add(other)
    assert as_member.post(CLAIM).status_code == 200
    assert client_of(other).post(CLAIM).status_code == 204
    answer = client_of(other).post(
        f"/api/v1/work/{offered.token}/fail/", {"error": "x"}, format="json"
    )
    assert answer.status_code == 409


def test_who_is_not_of_the_team_gets_none(as_operator, offered):
    assert as_operator.post(CLAIM).status_code == 204


def test_a_failure_needs_its_reason(as_member, offered):
    token = as_member.post(CLAIM).json()["token"]
    assert as_member.post(f"/api/v1/work/{token}/fail/").json()["faults"][0]["place"] == "error"
    body = {"error": "not signed"}
    assert as_member.post(f"/api/v1/work/{token}/fail/", body, format="json").status_code == 204


def test_a_wrong_token_is_a_conflict(as_member):
    assert as_member.post("/api/v1/work/nonsense/heartbeat/").status_code == 409


def test_whoever_left_the_team_neither_sees_nor_answers_what_they_took(
    as_member, operator, offered
):
    one = f"/api/v1/work/{as_member.post(CLAIM).json()['token']}/"
    assert list(selectors.work_taken(operator)) == [offered]
    Team.objects.get(name="pm_team").members.remove(operator)
    assert not selectors.work_taken(operator).exists()
    for verb, body in (("heartbeat", {}), ("complete", {"result": 1}), ("fail", {"error": "no"})):
        assert as_member.post(f"{one}{verb}/", body, format="json").status_code == 409
    assert [*Command.objects.values_list("verb", flat=True)] == ["claim"]


def test_work_of_no_team_is_for_those_who_see_the_run(as_operator, operator, offered):
    TaskRun.objects.update(team="")
    owners = Team.objects.create(name="owners", max_parallel=1)
    group = TaskGroup.objects.create(name="theirs")
    group.owning_teams.add(owners)
    Execution.objects.update(group=group)
    assert as_operator.post(CLAIM).status_code == 204
    owners.members.add(operator)
    assert as_operator.post(CLAIM).status_code == 200


def test_work_is_handed_back_once(as_member, offered):
    as_member.post(CLAIM)
    back = f"/api/v1/work/{offered.token}/hand-back/"
    assert as_member.post(back).status_code == 204
    assert as_member.post(back).status_code == 409
    assert as_member.post("/api/v1/work/none-such/hand-back/").status_code == 409
    assert list(Command.objects.order_by("pk").values_list("verb", flat=True)) == [
        "claim",
        "hand_back",
    ]
