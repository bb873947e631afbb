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
