"""Commands: what they print, how they end, and that nothing of them stays."""

import signal
import threading
import time

import pytest

from executions.runners import shell
from executions.runners.base import End


def test_a_command_completes_with_its_output_and_its_last_json_line(bench):
    outcome = bench.sh("echo hello; echo '{\"version\": 7}'")
    assert (outcome.end, outcome.result, outcome.exit_code) == (End.COMPLETED, {"version": 7}, 0)
    assert bench.printed.startswith("hello\n")


def test_a_result_file_wins_over_what_is_printed(bench):
    outcome = bench.sh("echo '[1]'; echo '{\"a\": 2}' > $PEXEC_RESULT")
    assert outcome.result == {"a": 2}


def test_arguments_are_passed_as_they_are(bench):
    bench.sh(["printf", "%s|", "a b", "$HOME", "*"])
    assert bench.printed == "a b|$HOME|*|"


def test_environment_stdin_and_marks_reach_the_command(bench):
    bench.sh(
        "cat; echo $COLOUR $PEXEC_TASK $PEXEC_ATTEMPT",
        payload={"env": {"COLOUR": "red"}, "stdin": "in\n"},
        attempt=3,
    )
    assert bench.printed == "in\nred T1 3\n"


def test_a_large_payload_reaches_the_command(bench):
    bench.sh(["sh", "-c", 'printf %s "$1" | wc -c', "sh", "x" * 120_000])
    assert bench.printed.strip() == "120000"


@pytest.mark.parametrize(
    ("command", "error", "code"),
    [
        ("echo oops >&2; exit 3", "exit code 3: oops", 3),
        ("kill -9 $$", "killed by SIGKILL", -signal.SIGKILL),
        (["no-such-program"], "command not found: no-such-program", 127),
        (["/etc/hostname"], "not executable", 126),
        ("no-such-program", "command not found (exit code 127)", 127),
    ],
)
def test_the_error_says_how_it_ended(bench, command, error, code):
    outcome = bench.sh(command)
    assert outcome.end is End.FAILED
    assert outcome.error.startswith(error)
    assert outcome.exit_code == code


def test_a_missing_directory_is_told_and_not_tried_again(bench):
    outcome = bench.sh("true", payload={"cwd": "nowhere"})
    assert outcome.error == "no directory nowhere"
    assert not outcome.retryable


def test_at_its_time_limit_a_command_ends_even_if_it_ignores_term(bench, monkeypatch):
    monkeypatch.setattr(shell, "GRACE_S", 0.3)
    begun = time.monotonic()
    outcome = bench.sh("trap '' TERM; sleep 60 & wait; sleep 60", timeout_s=0.3)
    assert (outcome.end, outcome.error) == (End.TIMED_OUT, "Timeout exceeded")
    assert time.monotonic() - begun < 3
    assert bench.left() == []


def test_a_stopped_command_is_cancelled(bench):
    stopper = threading.Timer(0.2, bench.stop.set)
    stopper.start()
    outcome = bench.sh("echo begun; sleep 60")
    stopper.join()
    assert outcome.end is End.CANCELLED
    assert bench.left() == []


@pytest.mark.parametrize(
    "command",
    [
        "sleep 60 & echo over",
        "setsid sleep 60 & echo over",
        "(setsid sh -c 'sleep 60 & sleep 60' &) ; echo over",
    ],
)
def test_a_command_that_is_over_leaves_nothing_behind(bench, command):
    outcome = bench.sh(command)
    assert outcome.end is End.COMPLETED
    assert bench.printed.startswith("over")
    deadline = time.monotonic() + 3
    while bench.left():
        assert time.monotonic() < deadline, "descendants stay"


def test_a_fork_bomb_is_bounded_and_ends(bench, monkeypatch):
    monkeypatch.setattr(shell, "GRACE_S", 0.2)
    bomb = "f() { sleep 30 & sleep 30 & [ $1 -gt 0 ] && f $(($1 - 1)); wait; }; f 40"
    outcome = bench.sh(bomb, timeout_s=0.5)
    assert outcome.end is End.TIMED_OUT
    assert bench.left() == []
    assert bench.sh("echo still here").end is End.COMPLETED


def test_memory_is_limited_where_asked(bench):
    hungry = ["python3", "-c", "x = 'x' * (1 << 30)"]
    outcome = bench.sh(hungry, payload={"limits": {"memory_mb": 300}})
    assert outcome.end is End.FAILED


def test_progress_lines_are_reported(bench):
    bench.sh("echo '::progress 40 compiling'")
    assert bench.progress == [(40.0, "compiling")]


def test_huge_output_is_capped_and_marked(bench):
    outcome = bench.sh("head -c 20000000 /dev/zero | tr '\\0' x; echo; echo end")
    assert outcome.end is End.COMPLETED
    assert bench.output.total_bytes == 20_000_005
    assert len(bench.output.head) + len(bench.output.tail) <= 65536
    assert "bytes left out" in bench.printed
    assert bench.printed.endswith("x\nend\n")


@pytest.mark.parametrize(
    ("payload", "place"),
    [
        ({}, "command"),
        ({"command": []}, "command"),
        ({"command": ["ls", 3]}, "command[1]"),
        ({"command": "ls", "cwd": "/etc"}, "cwd"),
        ({"command": "ls", "cwd": "../.."}, "cwd"),
        ({"command": "ls", "env": {"A=B": "c"}}, "env.A=B"),
        ({"command": "ls", "stdin": 3}, "stdin"),
        ({"command": "ls", "limits": {"memory_mb": 0}}, "limits.memory_mb"),
        ({"command": "ls", "limits": {"speed": 1}}, "limits.speed"),
        ({"command": "ls", "colour": "red"}, "colour"),
    ],
)
def test_a_bad_payload_is_told_with_its_place(payload, place):
    assert [p for p, _ in shell.check_payload(payload)] == [place]
