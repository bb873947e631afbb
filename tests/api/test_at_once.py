"""Two people at the same instant: one execution a key, one id an execution, one taker a work."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from executions import services, specs
from executions.models import Attempt, Command, Execution, TaskRun, Team
from tests.api.conftest import person

pytestmark = pytest.mark.django_db(transaction=True)
SPEC = specs.parse(
    """
name: g
tasks: [{id: A, runner: external, team: own, payload: {instructions: sign}}]
"""
)


@pytest.fixture(autouse=True)
def team():
    return Team.objects.create(name="own", max_parallel=1)


def at_once(*calls):
    """What each call returns; all start together, each with a connection of its own."""
    barrier = threading.Barrier(len(calls))

    def run(call):
        try:
            barrier.wait(10)
            return call()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def test_the_same_key_at_once_makes_one_execution():
    user = person("ann")

    def submit():
        return services.execution_submit(user=user, spec=SPEC, idempotency_key="k").pk

    assert len(set(at_once(*[submit] * 6))) == 1
    assert Execution.objects.count() == TaskRun.objects.count() == 1


def test_submissions_at_once_get_ids_of_their_own():
    user = person("ann")
    keys = at_once(*[lambda: services.execution_submit(user=user, spec=SPEC).pk] * 8)
    assert len(set(keys)) == Execution.objects.count() == 8


def test_of_two_claims_at_once_one_wins(team):
    people = [person(name) for name in ("ann", "bob", "cleo")]
    team.members.set(people)
    services.execution_submit(user=people[0], spec=SPEC)
    run = TaskRun.objects.get()
    Attempt.objects.create(
        task_run=run,
        execution=run.execution,
        number=1,
        token="t",
        state="dispatched",
        dispatched_at=run.since,
    )
    found = at_once(*[lambda user=user: services.work_claim(user=user) for user in people])
    taken = [attempt for attempt in found if attempt is not None]
    assert len(taken) == 1
    assert Command.objects.filter(verb="claim").count() == 1
    assert Attempt.objects.get().claimed_by == taken[0].claimed_by
