"""The bus: messages come in order, once, in batches; live output is kept by its end."""

import time
from statistics import median

import pytest

from executions.dispatch import bus as bus_module
from executions.dispatch.bus import OUTPUT_LIMIT_BYTES


def test_events_come_in_the_order_sent_and_are_then_gone(bus):
    bus.report({"type": "reports", "n": 1})
    bus.wake()
    bus.report({"type": "reports", "n": 2})
    taken = bus.events_take(1.0)
    assert [m.get("n", m["type"]) for m in taken] == [1, "wake", 2]
    assert bus.events_take(0.0) == []


def test_a_wait_in_vain_ends_when_it_is_to(bus):
    late_s = []
    for n in range(15):
        wait_s = 0.02 + 0.007 * n  # as often at each phase of a slow clock
        begun = time.monotonic()
        assert bus.events_take(wait_s) == []
        late_s.append(time.monotonic() - begun - wait_s)
    assert median(late_s) < 0.03


@pytest.mark.parametrize("extra", [0, 1])
def test_where_nobody_takes_events_the_newest_wait(bus, monkeypatch, extra):
    monkeypatch.setattr(bus_module, "EVENTS_LIMIT", 5)
    for n in range(5 + extra):
        bus.report({"type": "reports", "n": n})
    assert [m["n"] for m in bus.events_take(0.0)] == [*range(extra, 5 + extra)]


def test_each_worker_reads_only_its_own_inbox(bus):
    bus.tell({"a": {"run": [1]}, "b": {"run": [2]}})
    assert bus.inbox_take("a", 1.0) == [{"run": [1]}]
    assert bus.inbox_take("b", 1.0) == [{"run": [2]}]
    assert bus.inbox_take("c", 0.0) == []


def test_a_heartbeat_is_found_by_the_name_of_its_worker(bus):
    bus.heartbeat("a", {"n": 7, "holds": ["t"]})
    assert bus.heartbeats(["a", "b"]) == {"a": {"n": 7, "holds": ["t"]}}
    assert bus.heartbeats([]) == {}


def test_output_can_be_read_again_from_any_offset(bus):
    bus.output_append(1, 0, b"hello ")
    bus.output_append(1, 6, b"world")
    assert bus.output_read(1, 0) == (0, b"hello world")
    assert bus.output_read(1, 8) == (8, b"rld")
    assert bus.output_read(1, 11) == (11, b"")


def test_a_piece_sent_twice_is_read_once(bus):
    bus.output_append(1, 0, b"ab")
    bus.output_append(1, 0, b"ab")
    bus.output_append(1, 1, b"bc")
    assert bus.output_read(1, 0) == (0, b"abc")


@pytest.mark.parametrize("extra", [0, 1])
def test_of_long_output_the_end_is_kept(bus, extra):
    total = OUTPUT_LIMIT_BYTES + extra
    for offset in range(0, total, 1024):
        bus.output_append(1, offset, b"x" * min(1024, total - offset))
    start, data = bus.output_read(1, 0)
    assert (start, len(data)) == (extra, OUTPUT_LIMIT_BYTES)
