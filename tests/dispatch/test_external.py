"""External work under a real dispatcher: limits hold while people work, silence loses the work."""

import pytest
from django.contrib.auth import get_user_model

from executions import services
from executions.models import Attempt, Team
from tests.dispatch.small_site import finish, submit, wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ann(db):
    Team.objects.update_or_create(name="solo", defaults={"max_parallel": 1})
    user = get_user_model().objects.create_user("ann")
    Team.objects.get(name="solo").members.add(user)
    return user


def external(task_id, **payload):
    return {"task_id": task_id, "runner": "external", "team": "solo", "payload": payload}


def offered(execution):
    work = Attempt.objects.filter(execution=execution, task_run__runner="external")
    return work.filter(released_at=None, claimed_by=None)


def taken(bus, execution, user, **how):
    """Wait until something is offered, and take it."""
    wait_until(offered(execution).exists, "work is offered")
    attempt = services.work_claim(user=user, **how)
    bus.wake()
    return attempt


def answered(bus, verb, attempt, user, **how):
    verb(token=attempt.token, user=user, **how)
    bus.wake()


def test_whoever_works_holds_the_place_of_the_team(bus, dispatcher, ann):
    execution = submit(bus, external("A"), external("B"))
    first = taken(bus, execution, ann)
    wait_until(execution.task_runs.filter(state="running").exists, "the first runs")
    assert not offered(execution).exists()
    assert services.work_claim(user=ann) is None
    answered(bus, services.work_complete, first, ann, result={"by": "ann"})
    second = taken(bus, execution, ann)
    assert second.task_run_id != first.task_run_id
    answered(bus, services.work_fail, second, ann, error="not today")
    finish(execution)
    assert execution.counts == {"completed": 1, "failed": 1}
    assert execution.task_runs.get(state="failed").error == "not today"
    spans = list(
        Attempt.objects.order_by("dispatched_at").values_list("dispatched_at", "released_at")
    )
    assert spans[0][1] <= spans[1][0]


def test_who_falls_silent_loses_the_work_and_can_answer_no_more(bus, dispatcher, ann):
    execution = submit(bus, external("A"))
    silent = taken(bus, execution, ann, claim_s=0.3)
    again = offered(execution).exclude(pk=silent.pk)
    wait_until(again.exists, "the work is offered again")
    silent.refresh_from_db()
    assert (silent.state, silent.reason) == ("failed", "worker_lost")
    for answer in (services.work_heartbeat, services.work_complete):
        with pytest.raises(services.WorkTakenError):
            answer(token=silent.token, user=ann)
    answered(bus, services.work_complete, taken(bus, execution, ann), ann, result=2)
    finish(execution)
    run = execution.task_runs.get()
    assert (run.state, run.result, run.attempts, run.losses) == ("completed", 2, 2, 1)


def test_a_heartbeat_keeps_the_work(bus, dispatcher, ann):
    execution = submit(bus, external("A"))
    attempt = taken(bus, execution, ann, claim_s=0.5)
    services.work_heartbeat(token=attempt.token, user=ann, progress=10, line="begun", claim_s=60)
    wait_until(execution.task_runs.filter(state="running").exists, "it runs")
    attempt.refresh_from_db()
    assert attempt.released_at is None
    assert (attempt.progress, attempt.progress_line) == (10, "begun")
    answered(bus, services.work_complete, attempt, ann)
    finish(execution)
    assert execution.task_runs.get().attempts == 1


def left(ann):
    Team.objects.get(name="solo").members.remove(ann)


def locked_out(ann):
    ann.is_active = False
    ann.save()


@pytest.mark.parametrize("goes", [left, locked_out])
def test_who_may_no_more_gives_the_work_back_and_no_retry_is_consumed(bus, dispatcher, ann, goes):
    execution = submit(bus, external("A"), max_retries=0)
    first = taken(bus, execution, ann)
    bob = get_user_model().objects.create_user("bob")
    Team.objects.get(name="solo").members.add(bob)
    goes(ann)
    bus.wake()
    wait_until(offered(execution).exists, "the work is offered again")
    first.refresh_from_db()
    assert first.state == "returned"
    answered(bus, services.work_complete, taken(bus, execution, bob), bob, result="bob's")
    finish(execution)
    run = execution.task_runs.get()
    assert (run.state, run.result, run.losses) == ("completed", "bob's", 0)


def test_what_is_handed_back_is_offered_again(bus, dispatcher, ann):
    execution = submit(bus, external("A"), max_retries=0)
    first = taken(bus, execution, ann)
    services.work_hand_back(token=first.token, user=ann)
    wait_until(offered(execution).exists, "the work is offered again")
    answered(bus, services.work_complete, taken(bus, execution, ann), ann)
    finish(execution)
    assert execution.outcome == "success"
    states = Attempt.objects.order_by("number").values_list("state", flat=True)
    assert list(states) == ["returned", "completed"]


PREP = {
    "task_id": "PREP",
    "runner": "shell",
    "payload": {"command": 'echo \'{"draft": "v7"}\''},
}


def test_a_result_of_an_earlier_task_is_filled_in(bus, dispatcher, worker, ann):
    sign = external("SIGN", what="${tasks.PREP.result.draft}") | {"depends_on": ["PREP"]}
    execution = submit(bus, PREP, sign)
    attempt = taken(bus, execution, ann)
    assert services.work_payload(attempt=attempt) == {"what": "v7"}
    answered(bus, services.work_complete, attempt, ann)
    assert finish(execution).outcome == "success"


def test_a_missing_result_fails_the_work_by_its_name(bus, dispatcher, worker, ann):
    sign = external("SIGN", what="${tasks.PREP.result.none}") | {"depends_on": ["PREP"]}
    execution = submit(bus, PREP, sign, max_retries=0)
    assert taken(bus, execution, ann) is None
    finish(execution)
    assert "no 'none' in the result of 'PREP'" in execution.task_runs.get(task_id="SIGN").error
