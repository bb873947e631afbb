"""The whole cycle in one process: a leader, a lane worker, real Redis, a real database.

Lanes are threads here instead of Celery tasks; everything else is as in a site.
"""

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.utils import timezone

from executions.dispatch import dispatcher as dispatcher_module
from executions.models import (
    Attempt,
    Command,
    CommandVerb,
    Execution,
    Team,
    WorkerProcess,
)
from tests.dispatch.small_site import (
    LONG,
    a_dispatcher,
    a_worker,
    finish,
    states,
    submit,
    wait_until,
)

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_chain_runs_in_order_to_success(bus, dispatcher, worker):
    execution = submit(
        bus,
        {"task_id": "A"},
        {"task_id": "B", "depends_on": ["A"]},
        {"task_id": "C", "depends_on": ["B"]},
    )
    finish(execution)
    assert (execution.state, execution.outcome) == ("completed", "success")
    assert execution.counts == {"completed": 3}
    attempts = Attempt.objects.filter(execution=execution).order_by("dispatched_at")
    assert [a.task_run.task_id for a in attempts] == ["A", "B", "C"]
    for attempt in attempts:
        assert attempt.dispatched_at <= attempt.started_at <= attempt.finished_at
        assert attempt.finished_at <= attempt.released_at
    assert attempts[0].released_at <= attempts[1].dispatched_at


def test_a_limit_holds_and_what_waited_for_it_is_recorded(bus, dispatcher, worker):
    Team.objects.update_or_create(name="duo", defaults={"max_parallel": 2})
    tasks = [
        {"task_id": f"T{n}", "team": "duo", "runner": "sleep", "payload": {"seconds": 0.15}}
        for n in range(4)
    ]
    execution = finish(submit(bus, *tasks))
    spans = sorted(
        Attempt.objects.filter(execution=execution).values_list("dispatched_at", "released_at")
    )
    events = sorted([(b, 1) for b, _ in spans] + [(e, -1) for _, e in spans])
    held = peak = 0
    for _, step in events:
        held += step
        peak = max(peak, held)
    assert peak == 2
    waited = [run.waits.get("team:duo", 0) for run in execution.task_runs.all()]
    assert sum(w > 0.1 for w in waited) == 2
    assert execution.alone["team:duo"] > 0.1


def test_nothing_waits_in_what_is_over(bus, dispatcher, worker):
    execution = finish(submit(bus, {"task_id": "A"}, {"task_id": "B"}, max_concurrency=1))
    assert [*execution.demands.values_list("queued", "keys")] == [(0, [])]


def test_what_a_worker_cannot_even_begin_has_failed_and_says_why(
    bus, dispatcher, worker, monkeypatch
):
    def unread(*_):
        raise OSError("disk on fire")

    monkeypatch.setattr(worker._briefs, "get", unread)
    execution = finish(submit(bus, {"task_id": "A"}, max_retries=0))
    run = execution.task_runs.get()
    assert (run.state, run.reason, run.error) == ("failed", "error", "OSError: disk on fire")


def test_a_failed_task_is_tried_again_and_only_it(bus, dispatcher, worker):
    execution = submit(
        bus,
        {"task_id": "A"},
        {"task_id": "B", "runner": "sleep", "payload": {"fail_with": "flaky", "fail_times": 1}},
        failure_strategy="retry_failed",
    )
    finish(execution)
    assert execution.outcome == "success"
    assert dict(execution.task_runs.values_list("task_id", "attempts")) == {"A": 1, "B": 2}
    first = Attempt.objects.get(execution=execution, task_run__task_id="B", number=1)
    assert (first.state, first.reason, first.error) == ("failed", "error", "flaky")


def test_a_failure_skips_what_depends_on_it_and_names_it(bus, dispatcher, worker):
    execution = submit(
        bus,
        {"task_id": "A", "runner": "sleep", "payload": {"seconds": 30}, "timeout_ms": 50},
        {"task_id": "B", "depends_on": ["A"]},
        {"task_id": "C"},
    )
    finish(execution)
    assert execution.outcome == "partial"
    assert states(execution) == {"A": "failed", "B": "skipped", "C": "completed"}
    failed = execution.task_runs.get(task_id="A")
    assert (failed.reason, failed.error) == ("timeout", "Timeout exceeded")
    assert execution.task_runs.get(task_id="B").skipped_because_of == "A"


def test_cancel_stops_what_runs(bus, dispatcher, worker):
    execution = submit(
        bus,
        LONG,
        {"task_id": "B", "depends_on": ["A"]},
    )
    running = execution.task_runs.filter(state="running")
    wait_until(running.exists, "A runs")
    for _ in range(2):
        Command.objects.create(execution=execution, verb=CommandVerb.CANCEL, at=timezone.now())
    bus.wake()
    finish(execution)
    assert execution.state == "cancelled"
    assert states(execution) == {"A": "cancelled", "B": "skipped"}
    assert not Command.objects.filter(handled_at=None).exists()


def test_pause_admits_nothing_until_resume(bus, dispatcher, worker, tmp_path):
    paused = tmp_path / "paused"
    until_paused = f"until [ -e {paused} ]; do sleep 0.02; done"
    execution = submit(
        bus,
        {"task_id": "A", "runner": "shell", "payload": {"command": until_paused}},
        {"task_id": "B", "depends_on": ["A"]},
    )
    wait_until(execution.task_runs.filter(task_id="A", state="running").exists, "A runs")
    Command.objects.create(execution=execution, verb=CommandVerb.PAUSE, at=timezone.now())
    bus.wake()
    wait_until(Execution.objects.filter(pk=execution.pk, state="paused").exists, "it is paused")
    paused.touch()
    wait_until(execution.task_runs.filter(task_id="A", state="completed").exists, "A ends")
    wait_until(execution.demands.filter(keys=["paused"]).exists, "B waits for the pause")
    Command.objects.create(execution=execution, verb=CommandVerb.RESUME, at=timezone.now())
    bus.wake()
    assert finish(execution).outcome == "success"


def test_without_a_worker_tasks_wait_for_one_and_say_so(bus, dispatcher):
    execution = submit(bus, {"task_id": "A"})
    wait_until(execution.demands.filter(keys=["workers"]).exists, "A waits for a worker")
    Command.objects.create(execution=execution, verb=CommandVerb.CANCEL, at=timezone.now())
    bus.wake()
    assert finish(execution).state == "cancelled"


def test_external_work_waits_for_its_taker(bus, dispatcher):
    execution = submit(
        bus, {"task_id": "A", "runner": "external", "payload": {"instructions": "sign"}}
    )
    live = Attempt.objects.filter(execution=execution, state="dispatched")
    wait_until(live.exists, "A is offered")
    attempt = live.get()
    for verb, payload in ((CommandVerb.CLAIM, {}), (CommandVerb.COMPLETE, {"result": {"ok": 1}})):
        Command.objects.create(attempt=attempt, verb=verb, payload=payload, at=timezone.now())
    bus.wake()
    assert finish(execution).outcome == "success"
    assert execution.task_runs.get().result == {"ok": 1}


def test_a_drained_worker_hands_work_back_without_a_retry(bus, dispatcher, worker):
    execution = submit(bus, LONG)
    wait_until(execution.task_runs.filter(state="running").exists, "A runs")
    worker.drain(patience_s=0.0)
    wait_until(execution.task_runs.filter(state="queued").exists, "A is handed back")
    run = execution.task_runs.get()
    assert (run.attempts, run.failures, run.losses) == (1, 0, 0)
    assert WorkerProcess.objects.exclude(gone_at=None).count() == 1
    Command.objects.create(execution=execution, verb=CommandVerb.CANCEL, at=timezone.now())
    bus.wake()
    finish(execution)


def test_a_new_leader_carries_on_from_the_database(bus, worker):
    execution = submit(
        bus,
        {"task_id": "A", "runner": "sleep", "payload": {"seconds": 0.5}},
        {"task_id": "B", "depends_on": ["A"]},
    )
    with a_dispatcher(bus):
        wait_until(execution.task_runs.filter(state="running").exists, "A runs")
    with a_dispatcher(bus):
        finish(execution)
    assert execution.outcome == "success"
    assert dict(execution.task_runs.values_list("task_id", "attempts")) == {"A": 1, "B": 1}


def test_an_error_in_a_cycle_makes_the_leader_load_again(bus, dispatcher, worker, monkeypatch):
    plain = dispatcher_module.Store.commit
    failures = iter([True])

    def sometimes(self, *args, **options):
        if next(failures, False):
            raise dispatcher_module.StaleRowError("for the test")
        return plain(self, *args, **options)

    monkeypatch.setattr(dispatcher_module.Store, "commit", sometimes)
    assert finish(submit(bus, {"task_id": "A"})).outcome == "success"
    connection.close()


def test_work_of_a_worker_that_vanished_before_it_began_is_given_to_another(bus, dispatcher):
    """The attempt's number is used again, with another token; nothing of the old one stays."""
    dead = WorkerProcess.objects.create(
        incarnation="dead", host="h", pid=1, slots=1, first_seen_at=Now(), heartbeat_at=Now()
    )
    execution = submit(bus, {"task_id": "A"}, {"task_id": "B", "depends_on": ["A"]})
    given = Attempt.objects.filter(execution=execution, worker="dead")
    wait_until(given.exists, "A is given to the dead worker")
    old = given.get().token
    with a_worker(bus):
        WorkerProcess.objects.filter(pk=dead.pk).update(gone_at=Now())
        bus.wake()
        assert finish(execution).outcome == "success"
    attempts = Attempt.objects.filter(execution=execution, task_run__task_id="A")
    assert [(a.number, a.state, a.token != old) for a in attempts] == [(1, "completed", True)]
    assert execution.task_runs.get(task_id="A").losses == 0
