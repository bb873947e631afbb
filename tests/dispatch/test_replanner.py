"""A run whose tasks take other times than estimated gets a better order on its way."""

from dataclasses import replace

import pytest
from django.db import transaction

from executions.dispatch.replanner import Replanner
from executions.models import Execution, TaskRun
from executions.models.snapshots import group_of, site_limits
from executions.scheduling.machine import Machine
from executions.scheduling.messages import ExecutionSubmitted, LimitsChanged, WorkersChanged
from tests.dispatch.small_site import accept, finish, wait_until

pytestmark = pytest.mark.django_db(transaction=True)
SLOW_S, QUICK_S, ESTIMATE_S = 0.6, 0.15, 0.3


def sleeper(name, kind, *depends_on, priority=50):
    seconds = SLOW_S if kind == "slow" else QUICK_S
    return {
        "task_id": name,
        "runner": "sleep",
        "payload": {"seconds": seconds},
        "duration_s": ESTIMATE_S,
        "task_type": kind,
        "priority": priority,
        "depends_on": list(depends_on),
    }


def chain(name, kind, length):
    return [sleeper(f"{name}{n}", kind, *([f"{name}{n - 1}"] if n else [])) for n in range(length)]


@pytest.fixture
def misjudged():
    """Eight tasks that show the pace; many chains believed the longest; one that really is."""
    first = [sleeper(f"F{n}", "slow" if n % 2 else "quick", priority=60) for n in range(8)]
    quick = [task for n in range(12) for task in chain(f"Q{n}-", "quick", 4)]
    return [*first, *quick, *chain("S", "slow", 5)]


def gated(tasks, sign):
    """All but the first wait for a task that goes on until there is a file."""
    wait = {"command": f"until [ -e {sign} ]; do sleep 0.02; done"}
    gate = {**sleeper("G", "slow", priority=60), "runner": "shell", "payload": wait}
    rest = [{**t, "depends_on": t["depends_on"] or ["G"]} for t in tasks if t["priority"] == 50]
    return [gate, *(t for t in tasks if t["priority"] > 50), *rest]


def submit_planned(bus, tasks, **plan):
    with transaction.atomic():
        execution = accept(tasks, {"max_concurrency": 3, "planning": True, "timeout_ms": 60_000})
        Execution.objects.filter(pk=execution.pk).update(plan=plan)
    bus.wake()
    return execution


@pytest.fixture
def open_types(db):
    from executions.models import TaskType

    for name in ("slow", "quick"):
        TaskType.objects.update_or_create(name=name, defaults={"max_parallel": 9})


@pytest.mark.usefixtures("open_types")
def test_the_longest_chain_goes_first_once_it_is_known(
    bus, dispatcher, worker, misjudged, tmp_path
):
    sign = tmp_path / "found"
    execution = submit_planned(bus, gated(misjudged, sign), makespan_s=10.0, holds={})
    found = Execution.objects.filter(pk=execution.pk, plan__has_key="orders")
    wait_until(found.exists, "a better order comes")
    sign.touch()
    finish(execution)
    assert execution.outcome == "success"
    assert execution.plan["orders"][0]["at_s"] >= 1.0
    started = dict(TaskRun.objects.filter(execution=execution).values_list("task_id", "started_at"))
    last_quick = max(at for id_, at in started.items() if id_.startswith("Q"))
    assert started["S0"] < last_quick, "by the estimates it would have been the last of all"


def test_a_run_that_was_not_planned_keeps_its_order(bus, dispatcher, worker, open_types, misjudged):
    execution = finish(submit_planned(bus, misjudged[:20]))
    assert execution.plan == {}


def test_the_next_leader_goes_on_with_the_last_order(bus, open_types, misjudged):
    names = [task["task_id"] for task in misjudged]
    orders = [{"at_s": 1.0, "positions": [0, 1]}, {"at_s": 2.0, "positions": [5, 3, 4]}]
    execution = submit_planned(bus, misjudged, makespan_s=10.0, orders=orders)
    rows = execution.task_runs.order_by("position")
    event = ExecutionSubmitted(execution.public_id, group_of(execution, rows))
    replanner = Replanner()
    (told,) = replanner.open(execution.pk, event, 0.0)
    assert sorted(told.ranks, key=told.ranks.get) == [names[5], names[3], names[4]]
    replanner.close()


def test_an_order_is_kept_by_the_start_of_its_run(bus, open_types, misjudged):
    """The run starts with the first decision, which is later than when the leader hears of it."""
    execution = submit_planned(bus, misjudged, makespan_s=10.0)
    of = group_of(execution, execution.task_runs.order_by("position"))
    longest_last = replace(of, ranks={task.id: n for n, task in enumerate(of.tasks)})
    event, limits = ExecutionSubmitted(execution.public_id, longest_last), site_limits()
    machine, replanner = Machine(), Replanner()
    replanner.open(execution.pk, event, 100.0)
    decision = machine.handle([LimitsChanged(limits), WorkersChanged({"w": 9}), event], 100.25)
    replanner.observe(decision)
    replanner.disturb()
    replanner.begin(machine, limits, 9, 110.0)
    wait_until(lambda: replanner.take(112.0), "a better order comes")
    execution.refresh_from_db()
    assert [order["at_s"] for order in execution.plan["orders"]] == [11.75]
    replanner.close()
