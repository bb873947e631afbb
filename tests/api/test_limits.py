"""Limits over REST: their use now, and changing them."""

import pytest

from executions.models import Attempt, Demand, TaskRun, Team
from tests.api.conftest import client_of, person, spec

pytestmark = pytest.mark.django_db


@pytest.fixture
def busy(as_author):
    """One task of dev_team holds two units and another waits."""
    body = spec(
        {"id": "A", "team": "dev_team", "required_resources": [{"id": "lic", "amount": 2}]},
        {"id": "B", "team": "dev_team"},
        resources={"lic": {"capacity": 3}},
    )
    made = as_author.post("/api/v1/executions/", {"spec": body}, format="json").json()
    run = TaskRun.objects.get(task_id="A")
    Attempt.objects.create(
        task_run=run,
        execution=run.execution,
        number=1,
        token="t",
        worker="w",
        state="running",
        dispatched_at=run.since,
    )
    Demand.objects.create(execution=run.execution, number=1, keys=["team:dev_team"], queued=1)
    return made["id"]


def test_use_holders_and_waiters_are_told(as_viewer, busy):
    teams = {row["name"]: row for row in as_viewer.get("/api/v1/teams/").json()["results"]}
    assert (teams["pm_team"]["maximum"], teams["pm_team"]["used"]) == (3, 0)
    dev = teams["dev_team"]
    assert (dev["maximum"], dev["used"], dev["waiting"]) == (10, 1, 1)
    assert [(h["execution"], h["task"]) for h in dev["holders"]] == [(busy, "A")]
    lic = as_viewer.get("/api/v1/resources/lic/").json()
    assert (lic["maximum"], lic["used"]) == (3, 2)


def test_a_queued_task_says_what_it_waits_for(as_viewer, busy):
    TaskRun.objects.filter(task_id="B").update(waits={f"{busy}/max_concurrency": 2.5})
    Demand.objects.update(keys=["team:dev_team", f"{busy}/max_concurrency"])
    answer = as_viewer.get(f"/api/v1/executions/{busy}/task-runs/", {"q": "B"}).json()
    assert answer["results"][0]["waits_for"] == ["team:dev_team", "max_concurrency"]
    assert answer["results"][0]["waited_s"] == {"max_concurrency": 2.5}


def test_a_limit_is_changed_by_who_may_and_remembers_who_and_why(as_viewer):
    admin = person("admin", "view_team", "change_team")
    change = {"maximum": 4, "reason": "holiday"}
    address = "/api/v1/teams/dev_team/"
    assert as_viewer.patch(address, change, format="json").status_code == 403
    assert client_of(admin).patch(address, change, format="json").json()["maximum"] == 4
    record = Team.objects.get(name="dev_team").history.first()
    assert (record.max_parallel, record.history_user, record.history_change_reason) == (
        4, admin, "holiday",
    )  # fmt: skip


@pytest.mark.parametrize("value", [-1, "many", None, 10**7, 1.5])
def test_a_bad_limit_is_a_fault_at_its_place(value):
    admin = client_of(person("admin", "view_team", "change_team"))
    answer = admin.patch("/api/v1/teams/dev_team/", {"maximum": value}, format="json")
    assert answer.status_code == 400
    assert answer.json()["faults"][0]["place"] == "maximum"
    assert Team.objects.get(name="dev_team").max_parallel == 10


def test_what_is_not_there_is_404(as_viewer):
    assert as_viewer.get("/api/v1/task-types/none/").status_code == 404
