"""What a snapshot tells of an execution: what the database holds, to the millisecond."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from threading import Event

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executions import frames
from executions.models import Attempt, TaskRun
from executions.watching.shared import SharedReadings
from executions.watching.snapshots import execution_snapshot
from tests.web import conftest as personas

site, group, author, execution = (
    personas.site, personas.group, personas.author, personas.execution,
)  # fmt: skip
asks = pytest.mark.django_db(transaction=True)
"""The thread that reads looks after its connections, though nothing is asked there."""
NOW = datetime(2026, 3, 1, 12, 0, 0, 123_000, tzinfo=UTC)
AFTER = st.none() | st.integers(0, 10**9)
WAITS = st.dictionaries(st.sampled_from(["team:a", "workers", "backoff"]), st.integers(0, 10**7))


def through_the_wire(count, base=0, **tasks):
    frame = frames.snapshot(
        seq=1, now=1.0, base=base, execution={}, count=count, tasks=tasks, demands={},
        attempts=[], limits={},
    )  # fmt: skip
    return frames.tasks_of(json.loads(frames.encoded(frame)))


@given(st.data(), st.integers(1, 40), st.integers(0, 2 * 10**9))
def test_packed_columns_give_back_what_went_in(data, count, base):
    def column(values):
        return data.draw(st.lists(values, min_size=count, max_size=count))

    ids, states = column(st.text(max_size=5)), column(st.sampled_from(["queued", "running"]))
    needs, since, waits = column(st.tuples(st.integers(0, 9))), column(AFTER), column(WAITS)
    tasks = through_the_wire(
        count,
        base,
        id=frames.packed(ids),
        state=frames.packed(states),
        depends_on=frames.packed(needs),
        since=frames.packed(since),
        waits=frames.packed_waits([{k: ms / 1000 for k, ms in row.items()} for row in waits]),
    )
    assert [task["id"] for task in tasks] == ids
    assert [task["state"] for task in tasks] == states
    assert [task["depends_on"] for task in tasks] == [list(row) for row in needs]
    assert [task["since"] for task in tasks] == [
        None if ms is None else base + ms / 1000 for ms in since
    ]
    assert [task["waits"] for task in tasks] == [
        {k: ms / 1000 for k, ms in row.items()} for row in waits
    ]


def test_what_many_share_is_said_once_and_long_texts_are_cut():
    assert frames.packed(["a"] * 9) == {"same": "a"}
    assert frames.packed(["a", "b", "a", "a"]) == {"of": ["a", "b"], "at": [0, 1, 0, 0]}
    assert frames.packed(["a", "b", "c"]) == ["a", "b", "c"]
    few = [str(n) for n in range(frames.FEW)] * 2
    assert "of" in frames.packed(few)
    assert frames.packed([*few, "one", "more"]) == [*few, "one", "more"]
    (long,) = frames.packed(["x" * (frames.TEXT_LIMIT + 1)]).values()
    assert len(long) == frames.TEXT_LIMIT


def test_an_execution_without_tasks_is_told():
    assert through_the_wire(0, id=frames.packed([]), waits=frames.packed_waits([])) == []


def test_a_snapshot_tells_when_slots_were_held(execution):
    run = execution.task_runs.get(task_id="build")
    TaskRun.objects.filter(pk=run.pk).update(attempts=2, state="completed")
    for number, (start, end) in enumerate(((0, 4), (9, 12)), start=1):
        Attempt.objects.create(
            task_run=run, execution=execution, number=number, token=f"t{number}", state="completed",
            dispatched_at=NOW + timedelta(seconds=start), released_at=NOW + timedelta(seconds=end),
        )  # fmt: skip
    frame = execution_snapshot(execution.pk)
    build, test = frames.tasks_of(frame)
    base = NOW.timestamp()
    assert [build["held_from"] - base, build["held_to"] - base] == pytest.approx([9, 12])
    assert (test["held_from"], test["held_to"]) == (None, None)
    ((position, number, _, _, _, *held),) = frame["attempts"]
    assert (position, number) == (0, 1)
    assert [at - base for at in held] == pytest.approx([0, 4])


@pytest.mark.parametrize("microsecond", [0, 1000, 123_000, 999_000])
def test_moments_come_from_the_database_as_they_are_there(execution, microsecond):
    moment = NOW.replace(microsecond=microsecond)
    TaskRun.objects.filter(execution=execution, task_id="build").update(
        started_at=moment, finished_at=moment + timedelta(milliseconds=7), waits={"workers": 1.2344}
    )
    build, test = frames.tasks_of(json.loads(frames.encoded(execution_snapshot(execution.pk))))
    assert build["started_at"] == pytest.approx(moment.timestamp(), abs=1e-6)
    assert build["finished_at"] == pytest.approx(moment.timestamp() + 0.007, abs=1e-6)
    assert build["waits"] == {"workers": 1.234}
    assert (test["started_at"], test["depends_on"], test["level"]) == (None, [0], 1)


@asks
async def test_who_asks_while_others_read_shares_the_next_reading():
    readings, begun, let = SharedReadings(), Event(), Event()
    made = []

    def make():
        made.append(len(made))
        begun.set()
        assert let.wait(5)
        return made[-1]

    first = asyncio.create_task(readings.read("a", make))
    await asyncio.to_thread(begun.wait, 5)
    later = [asyncio.create_task(readings.read("a", make)) for _ in range(50)]
    other = asyncio.create_task(readings.read("b", lambda: "b"))
    await asyncio.sleep(0)
    later[0].cancel()  # who leaves takes nothing from the others
    let.set()
    assert await first == 0
    assert await asyncio.gather(*later[1:]) == [1] * 49
    assert await other == "b"
    assert made == [0, 1]


@asks
async def test_a_reading_that_fails_is_told_to_who_asked_and_not_kept():
    readings = SharedReadings()

    def fail():
        raise LookupError

    with pytest.raises(LookupError):
        await readings.read("a", fail)
    assert await readings.read("a", lambda: 1) == 1


@asks
async def test_a_reading_may_serve_for_a_while_and_then_no_more():
    readings = SharedReadings(kept_s=0.2)
    assert await readings.read("a", lambda: 1) == 1
    assert await readings.read("a", lambda: 2) == 1
    assert await readings.read("b", lambda: 3) == 3
    is_over = asyncio.Event()
    asyncio.get_running_loop().call_later(0.2, is_over.set)
    await asyncio.wait_for(is_over.wait(), 5)
    assert await readings.read("a", lambda: 4) == 4
