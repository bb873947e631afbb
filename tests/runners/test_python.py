"""Python callables: only those on the list, in a process that can be stopped."""

import threading

import pytest

from executions.runners.base import End
from executions.runners.python import check_payload, is_allowed
from executions.runners.results import RESULT_LIMIT_BYTES


def call(bench, name, **more):
    options = {k: more.pop(k) for k in ("timeout_s",) if k in more}
    return bench.run("python", {"callable": f"tests.runners.work.{name}", **more}, **options)


def test_a_callable_is_called_with_its_arguments(bench):
    outcome = call(bench, "add", args=[2], kwargs={"b": 3})
    assert (outcome.end, outcome.result) == (End.COMPLETED, {"sum": 5})


def test_what_it_raises_is_the_error_and_the_traceback_is_kept(bench):
    outcome = call(bench, "break_down")
    assert outcome.end is End.FAILED
    assert "LookupError: nothing there" in outcome.error
    assert "Traceback" in bench.printed


def test_what_is_not_json_is_a_failure(bench):
    assert "not JSON serializable" in call(bench, "unspeakable").error


@pytest.mark.parametrize(
    ("how", "error"),
    [
        ("exit", "SystemExit: 0"),
        ("raise", "SystemExit"),
        ("interrupt", "KeyboardInterrupt"),
        ("_exit", "the process ended (exit code 0) before the call returned"),
    ],
)
def test_a_call_that_ends_without_returning_has_failed(bench, how, error):
    outcome = call(bench, "leave", args=[how])
    assert outcome.end is End.FAILED
    assert error in outcome.error


def test_progress_is_passed_on(bench):
    assert call(bench, "report").end is End.COMPLETED
    assert bench.progress == [(50.0, "half way")]


def test_it_ends_at_its_time_limit(bench):
    outcome = call(bench, "hang", timeout_s=0.5)
    assert (outcome.end, outcome.error) == (End.TIMED_OUT, "Timeout exceeded")
    assert bench.left() == []


def test_it_can_be_cancelled(bench):
    stopper = threading.Timer(0.3, bench.stop.set)
    stopper.start()
    assert call(bench, "hang").end is End.CANCELLED
    stopper.join()
    assert bench.left() == []


def test_what_is_not_on_the_list_is_refused(bench):
    outcome = bench.run("python", {"callable": "os.system", "args": ["true"]})
    assert outcome.end is End.FAILED
    assert not outcome.retryable
    assert "os.system" in outcome.error


@pytest.mark.parametrize("over", [0, 1])
def test_what_it_returns_counts_up_to_the_greatest_size(bench, over):
    outcome = call(bench, "give", args=[RESULT_LIMIT_BYTES + over])
    if over:
        assert (outcome.end, outcome.result) == (End.FAILED, None)
        assert "TooLargeError: returned 65537 bytes of JSON, at most 65536" in outcome.error
    else:
        assert outcome.result == "x" * (RESULT_LIMIT_BYTES - 2)


def test_no_call_sees_what_another_left(bench):
    first, second = (call(bench, "change_everything").result for _ in range(2))
    assert first == second
    assert first[0] == "None"


def test_a_call_has_no_descriptor_but_its_own(bench):
    assert call(bench, "open_files").result == [0, 1, 2]


def test_a_call_leads_its_own_session_and_knows_its_marks(bench):
    assert len(set(call(bench, "group").result)) == 1
    seen = call(bench, "environment").result
    assert seen["PEXEC_TOKEN"] == bench.token
    assert "SECRET_KEY" not in seen


def test_what_a_call_leaves_behind_is_gone_with_it(bench):
    assert call(bench, "escape").end is End.COMPLETED
    assert bench.left() == []


def test_threads_are_waited_for(bench, tmp_path):
    assert call(bench, "late", args=[str(tmp_path / "said")]).end is End.COMPLETED
    assert (tmp_path / "said").read_text() == "done"


def test_its_limits_hold(bench):
    assert call(bench, "hog", args=[50], limits={"memory_mb": 200}).result == 50 << 20
    outcome = call(bench, "hog", args=[500], limits={"memory_mb": 200})
    assert outcome.error == "exit code 1: MemoryError:"


@pytest.mark.parametrize(
    ("name", "allowed"),
    [("a.b.c", True), ("a.bc", False), ("a.b", False), ("x.y", True), ("x.yz", False)],
)
def test_the_list_names_callables_or_packages(name, allowed):
    assert is_allowed(name, ["a.b.*", "x.y"]) is allowed


@pytest.mark.parametrize(
    ("payload", "places"),
    [
        ({}, ["callable"]),
        ({"callable": "len"}, ["callable"]),
        ({"callable": "a.b; c"}, ["callable"]),
        ({"callable": "a.b", "args": {}, "kwargs": []}, ["args", "kwargs"]),
    ],
)
def test_bad_payloads_are_told(payload, places):
    assert [place for place, _ in check_payload(payload)] == places
