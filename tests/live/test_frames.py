"""What frames carry, and how long it may be."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from executions import frames


def test_a_delta_names_positions_as_text_and_survives_json():
    frame = frames.delta(
        seq=3,
        now=10.5,
        execution={"state": "running", "counts": {"running": 1}},
        tasks={7: {"state": "running", "since": 10.0}},
        demands={0: {"keys": ["team:dev_team"], "queued": 2, "since": 1.0, "reserved_for": ""}},
    )
    assert json.loads(frames.encoded(frame)) == frame
    assert frame["tasks"] == {"7": {"state": "running", "since": 10.0}}


def test_a_text_at_the_limit_travels_whole_and_one_beyond_is_cut():
    whole, long = "x" * frames.TEXT_LIMIT, "x" * (frames.TEXT_LIMIT + 1)
    frame = frames.delta(
        seq=1, now=0.0, execution={}, tasks={0: {"error": whole}, 1: {"error": long}}, demands={}
    )
    assert frame["tasks"]["0"]["error"] == whole
    assert len(frame["tasks"]["1"]["error"]) == frames.TEXT_LIMIT
    assert frame["tasks"]["1"]["error"].endswith("…")


def test_a_dashboard_delta_and_a_snapshot_hold_the_same_shapes():
    executions = {5: {"id": "PEXEC-5", "state": "running"}}
    limits = {"team:dev_team": (1, 10, 0)}
    told = frames.dashboard_delta(seq=1, now=0.0, executions=executions, limits=limits)
    whole = frames.dashboard_snapshot(now=0.0, executions=executions, limits=limits, figures={})
    assert told["executions"] == whole["executions"]
    assert told["limits"] == whole["limits"] == {"team:dev_team": [1, 10, 0]}


@given(st.integers(0, 3), st.integers(-1, 1), st.sampled_from(["x", '"', "\u20ac", "\U0001f600"]))
def test_a_long_frame_travels_in_parts_that_fit_and_joined_are_the_frame(times, more, letter):
    text = letter * max(0, times * frames.PART_CHARS + more)
    messages = frames.parts(text)
    assert all(len(message.encode()) < 1024 * 1024 for message in messages)
    if len(text) <= frames.PART_CHARS:
        assert messages == [text]
    else:
        told = [json.loads(message) for message in messages]
        assert "".join(part["text"] for part in told) == text
        assert [part["last"] for part in told] == [False] * (len(told) - 1) + [True]


FIELDS = st.dictionaries(
    st.sampled_from(["state", "held_to", "error"]),
    st.sampled_from(["retrying", "queued", "running", None]),
    min_size=1,
)
CHANGES = st.dictionaries(st.integers(0, 3), FIELDS, max_size=3)


def deltas(changes, seqs):
    return [
        frames.delta(seq=seq, now=float(n), execution={"n": n}, tasks=tasks, demands={n % 2: {}})
        for n, (seq, tasks) in enumerate(zip(seqs, changes, strict=True))
    ]


def applied(told):
    """What a reader who takes them in order comes to know."""
    execution, tasks, demands = {}, {}, {}
    for frame in told:
        execution.update(frame["execution"])
        for key, fields in frame["tasks"].items():
            tasks.setdefault(key, {}).update(fields)
        for key, fields in frame["demands"].items():
            demands.setdefault(key, {}).update(fields)
    return execution, tasks, demands


def ends_told(told):
    """Attempts that a reader sees end, as static/js/store.js remembers them."""
    return sum(
        fields.get("state") == "retrying"
        or (fields.get("state") == "queued" and fields.get("held_to") is not None)
        for frame in told
        for fields in frame["tasks"].values()
    )


@given(st.lists(CHANGES, min_size=1, max_size=8), st.integers(0, 5))
def test_merged_deltas_tell_the_same_and_no_number_is_missing(changes, first):
    given_ones = deltas(changes, range(first, first + len(changes)))
    before = json.dumps(given_ones)
    told = frames.merged(given_ones)
    assert json.dumps(given_ones) == before
    assert applied(told) == applied(given_ones)
    assert ends_told(told) == ends_told(given_ones)
    spans = [(frame.get("first", frame["seq"]), frame["seq"]) for frame in told]
    assert [n for one, last in spans for n in range(one, last + 1)] == [
        frame["seq"] for frame in given_ones
    ]
    assert all(frame.get("first_now", frame["now"]) <= frame["now"] for frame in told)


def test_frames_with_a_gap_between_them_are_not_merged():
    told = deltas([{}, {}, {}], [1, 2, 4])
    assert [frame["seq"] for frame in frames.merged(told)] == [2, 4]


def test_an_attempt_that_ended_is_told_before_the_next_one_begins():
    told = deltas(
        [{0: {"state": "retrying"}}, {1: {"state": "running"}}, {0: {"state": "running"}}],
        [1, 2, 3],
    )
    assert [sorted(frame["tasks"]) for frame in frames.merged(told)] == [["0", "1"], ["0"]]


def test_dashboards_merge_by_execution_and_limit():
    told = [
        frames.dashboard_delta(
            seq=n, now=float(n), executions={5: row}, limits={"workers": (n, 4, 0)}
        )
        for n, row in enumerate([{"id": "PEXEC-5", "state": "running"}, {"state": "completed"}])
    ]
    assert frames.merged(told) == [
        {
            **told[1], "first": 0, "first_now": 0.0,
            "executions": {"5": {"id": "PEXEC-5", "state": "completed"}},
        }
    ]  # fmt: skip
