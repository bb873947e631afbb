"""When watched runs will end: reckoned now and then, whoever asks; told where it is known."""

from datetime import timedelta

import pytest
from channels.db import database_sync_to_async
from django.utils import timezone

from executions import consumers
from executions.models import Execution, TaskRun
from executions.reporting.forecast import execution_expected_end
from executions.watching import expected
from executions.watching.expected import EVERY_S, REST, ExpectedEnds
from tests.live import test_sockets
from tests.live.test_sockets import opened, path_of, told

site, execution, viewer = test_sockets.site, test_sockets.execution, test_sockets.viewer


class Reckoner:
    """A forecast that costs what it is told to, on clocks that stand still."""

    def __init__(self, cost_s=0.0):
        self.now = self.spent = 0.0
        self.cost_s, self.made = cost_s, []
        self.ends = ExpectedEnds(self.reckon, lambda: self.now, lambda: self.spent)

    def reckon(self, pk):
        self.made.append(pk)
        self.now += self.cost_s
        self.spent += self.cost_s
        return 1000.0 + len(self.made)


def test_many_who_ask_are_told_the_same_until_it_is_due():
    reckoner = Reckoner()
    assert {reckoner.ends.of(1) for _ in range(100)} == {1001.0}
    reckoner.now = EVERY_S - 0.01
    assert reckoner.ends.of(1) == 1001.0
    reckoner.now = EVERY_S
    assert reckoner.ends.of(1) == 1002.0
    assert reckoner.made == [1, 1]


def test_a_dear_forecast_is_followed_by_a_rest_for_all():
    reckoner = Reckoner(cost_s=2.0)
    assert reckoner.ends.of(1) == 1001.0
    assert reckoner.ends.of(2) is None
    reckoner.now += REST * 2.0 - 0.01
    assert (reckoner.ends.of(1), reckoner.ends.of(2)) == (1001.0, None)
    reckoner.now += 0.02
    assert reckoner.ends.of(2) == 1002.0
    assert reckoner.made == [1, 2]


def test_who_asks_during_a_forecast_waits_for_nothing():
    reckoner = Reckoner()
    inner = []
    reckoner.ends = ExpectedEnds(lambda pk: inner.append(reckoner.ends.of(pk)), lambda: 0.0)
    assert reckoner.ends.of(1) is None
    assert inner == [None]


def test_only_so_many_are_kept(monkeypatch):
    monkeypatch.setattr(expected, "KEPT", 2)
    reckoner = Reckoner()
    for pk in (1, 2, 3):
        reckoner.ends.of(pk)
    assert [reckoner.ends.of(pk) for pk in (2, 3, 1)] == [1002.0, 1003.0, 1004.0]


def begun(execution, source):
    Execution.objects.filter(pk=execution.pk).update(state="running", started_at=timezone.now())
    tasks = TaskRun.objects.filter(execution=execution)
    tasks.update(duration_s=30.0, duration_source=source)
    return Execution.objects.get(pk=execution.pk)


@pytest.mark.django_db
@pytest.mark.usefixtures("redis_server")
def test_where_all_durations_are_guesses_nobody_can_tell_until_one_is_known(execution):
    run = begun(execution, "default")
    assert execution_expected_end(run) is None
    TaskRun.objects.filter(execution=run, task_id="build").update(
        state="completed",
        started_at=timezone.now() - timedelta(seconds=9),
        finished_at=timezone.now(),
    )
    assert execution_expected_end(run) is not None


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("redis_server")
async def test_who_asks_is_told_of_the_end_of_a_run_that_has_begun(viewer, execution, monkeypatch):
    monkeypatch.setattr(consumers, "FORECAST_EVERY_S", 0.05)
    made, over = await opened(path_of(execution), viewer), await opened("/ws/dashboard/", viewer)
    for watching in (made, over):
        assert (await told(watching))["type"] == "snapshot"
        await watching.send_to(text_data='{"type":"watch_forecast"}')
    await database_sync_to_async(begun)(execution, "task")
    for watching in (made, over):
        frame = await told(watching)
        assert (frame["type"], list(frame["ends_at"])) == ("forecast", [str(execution.pk)])
        left_s = frame["ends_at"][str(execution.pk)] - timezone.now().timestamp()
        assert 40 < left_s < 65
        await watching.disconnect()


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("redis_server")
async def test_who_does_not_ask_is_told_numbered_frames_only(viewer, execution, monkeypatch):
    monkeypatch.setattr(consumers, "FORECAST_EVERY_S", 0.01)
    await database_sync_to_async(begun)(execution, "task")
    made, asking = await opened(path_of(execution), viewer), await opened("/ws/dashboard/", viewer)
    assert (await told(made))["type"] == (await told(asking))["type"] == "snapshot"
    await asking.send_to(text_data='{"type":"watch_forecast"}')
    assert (await told(asking))["type"] == "forecast"
    await made.send_to(text_data='{"type":"resync"}')
    assert (await told(made))["type"] == "snapshot"
    for watching in (made, asking):
        await watching.disconnect()
