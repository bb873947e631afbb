"""Results: found, bounded, never lost in silence, and always such that a database keeps them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executions.runners.base import End, Outcome
from executions.runners.results import (
    DEPTH_LIMIT,
    KEPT_LIMIT_BYTES,
    RESULT_LIMIT_BYTES,
    BadResultError,
    LastLine,
    from_line,
    kept,
)

PRINT = "import sys; sys.stdout.write({!r} + 'x' * ({} - {}) + {!r})"


def sized(size_bytes, begin='["', end='"]'):
    """A command that prints so many bytes."""
    return ["python3", "-c", PRINT.format(begin, size_bytes, len(begin + end), end)]


def test_a_last_line_of_the_greatest_size_is_the_result(bench):
    outcome = bench.sh(sized(RESULT_LIMIT_BYTES))
    assert (outcome.end, len(json.dumps(outcome.result))) == (End.COMPLETED, RESULT_LIMIT_BYTES)


def test_a_last_line_one_byte_larger_fails_and_says_so(bench):
    outcome = bench.sh(sized(RESULT_LIMIT_BYTES + 1))
    assert (outcome.end, outcome.result) == (End.FAILED, None)
    assert outcome.error == "the last line is a result of more than 65536 bytes"


@pytest.mark.parametrize(("begin", "end"), [("[", "]"), ("{", "}"), ("", "")])
def test_a_long_last_line_that_is_no_json_is_just_output(bench, begin, end):
    outcome = bench.sh(sized(3 * RESULT_LIMIT_BYTES, begin, end))
    assert (outcome.end, outcome.result) == (End.COMPLETED, {})


@pytest.mark.parametrize("over", [0, 1])
def test_a_result_file_counts_up_to_the_greatest_size(bench, over):
    size = RESULT_LIMIT_BYTES - 2 + over
    outcome = bench.sh(
        f"(printf '\"'; head -c {size} /dev/zero | tr '\\0' x; printf '\"') > $PEXEC_RESULT"
    )
    if over:
        assert outcome.error == "the file PEXEC_RESULT is a result of more than 65536 bytes"
    else:
        assert outcome.result == "x" * size


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ("echo v1.2 > $PEXEC_RESULT", "the file PEXEC_RESULT is not JSON"),
        ("echo '{\"a\": NaN}' > $PEXEC_RESULT", "NaN is not JSON"),
        ("mkdir $PEXEC_RESULT", "the file PEXEC_RESULT cannot be read"),
        ("echo '[1e999]'", "the result is not JSON"),
    ],
)
def test_a_result_that_is_no_json_fails_and_says_why(bench, command, error):
    outcome = bench.sh(command)
    assert outcome.end is End.FAILED
    assert error in outcome.error


@pytest.mark.parametrize(
    "command",
    [
        "echo '{\"a\": NaN}'",
        "echo '[INFO] done'",
        "printf '%20000s' | tr ' ' '['",
        "mkfifo $PEXEC_RESULT; echo 1",
    ],
)
def test_other_last_lines_are_no_results(bench, command):
    outcome = bench.sh(command)
    assert (outcome.end, outcome.result) == (End.COMPLETED, {})


@given(st.lists(st.sampled_from([b"a", b"\n", b" ", b"{}", b"b\nc", b"\n\n"]), max_size=20))
def test_the_last_line_is_found_however_it_is_cut(pieces):
    line = LastLine()
    for piece in pieces:
        line.write(piece)
    assert line.text == b"".join(pieces).rstrip().rpartition(b"\n")[2]


@given(st.integers(1, 60))
def test_json_cut_anywhere_is_known_as_too_large(before_the_end):
    rest = '"}, {"a": [1.5, true, null, "\\u00e9", {"b": "xyz"}]}, ' + '"x", ' * 20
    line = ('[{"pad": "' + "x" * (RESULT_LIMIT_BYTES - 10 - before_the_end) + rest).encode()
    with pytest.raises(BadResultError):
        from_line(line[: RESULT_LIMIT_BYTES + 1])


def nested(depth):
    value = "x"
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("result", "error"),
    [
        ({"a": float("nan")}, "the result is not JSON"),
        (object(), "the result is not JSON"),
        (nested(DEPTH_LIMIT + 1), "nested more than 50 deep"),
        ("x" * (KEPT_LIMIT_BYTES - 1), "more than 524288 bytes"),
    ],
)
def test_what_no_database_keeps_fails_its_own_attempt(result, error):
    outcome = kept(Outcome(End.COMPLETED, result=result))
    assert (outcome.end, outcome.result) == (End.FAILED, None)
    assert error in outcome.error


@pytest.mark.parametrize("result", [nested(DEPTH_LIMIT), "x" * (KEPT_LIMIT_BYTES - 2), None, 1])
def test_what_is_just_within_the_limits_is_kept(result):
    assert kept(Outcome(End.COMPLETED, result=result)).result == result


def test_characters_that_postgresql_refuses_are_replaced():
    outcome = kept(Outcome(End.FAILED, "a\0b", result={"\0": ["\ud800", 1]}))
    assert (outcome.error, outcome.result) == ("a\ufffdb", {"\ufffd": ["\ufffd", 1]})


def test_a_bad_result_does_not_hide_why_an_attempt_failed():
    outcome = kept(Outcome(End.FAILED, "status 500", result=float("inf")))
    assert (outcome.error, outcome.result) == ("status 500", None)
