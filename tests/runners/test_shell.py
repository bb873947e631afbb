"""Commands: what they print, how they end, and that nothing of them stays."""

import os
import signal
import threading
import time

import pytest

from executions.runners import shell, watched
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
    monkeypatch.setattr(watched, "GRACE_S", 0.3)
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
        "env -i setsid sleep 60 & echo over",
        "(env -i setsid sh -c 'trap \"\" TERM HUP; (sleep 60 &) ; sleep 60' &) ; echo over",
    ],
)
def test_a_command_that_is_over_leaves_nothing_behind(bench, command):
    outcome = bench.sh(command)
    assert outcome.end is End.COMPLETED
    assert bench.printed.startswith("over")
    assert bench.left() == []


def test_what_a_command_leaves_goes_while_others_run_and_they_stay(bench, tmp_path):
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    ends = []
    other = threading.Thread(
        target=lambda: ends.append(
            bench.sh(f"echo on; (env -i setsid sleep 60 &); read x < {gate}")
        )
    )
    other.start()
    while len(bench.left()) < 2:
        os.sched_yield()
    there = set(bench.left())
    assert bench.sh("env -i setsid sleep 60 & env -i sleep 60 & echo over").end is End.COMPLETED
    assert set(bench.left()) == there
    gate.write_text("go\n")
    other.join()
    assert ends[0].end is End.COMPLETED
    assert bench.left() == []


def test_memory_is_limited_where_asked(bench):
    hungry = ["python3", "-c", "x = 'x' * (1 << 30)"]
    outcome = bench.sh(hungry, payload={"limits": {"memory_mb": 300}})
    assert outcome.end is End.FAILED


def test_cpu_time_is_limited_where_asked(bench):
    outcome = bench.sh("while :; do :; done", payload={"limits": {"cpu_s": 1}})
    assert outcome.error == "killed by SIGKILL"


def test_files_are_limited_where_asked(bench):
    outcome = bench.sh("head -c 3000000 /dev/zero > x", payload={"limits": {"file_mb": 1}})
    assert outcome.end is End.FAILED


def test_limits_hold_before_a_command_begins(bench):
    assert bench.sh("ulimit -p").end is End.COMPLETED
    assert 1000 < int(bench.printed) < 10_000
    limits = {"memory_mb": 64, "cpu_s": 7, "file_mb": 3}
    for _ in range(20):
        bench.sh("ulimit -v; ulimit -t; ulimit -f", payload={"limits": limits})
        assert bench.printed.split() == ["65536", "7", "6144"]


@pytest.mark.parametrize("command", [["no-such-program"], ["/etc/hostname"]])
def test_what_cannot_be_started_under_limits_is_told_as_without(bench, command):
    limited = bench.sh(command, payload={"limits": {"cpu_s": 5}})
    assert limited == bench.sh(command)
    assert limited.exit_code in (126, 127)


def test_a_command_is_not_shielded_by_what_its_supervisor_ignores(bench):
    bench.sh(["python3", "-c", "print(open('/proc/self/status').read())"])
    ignored = int(bench.printed.partition("SigIgn:")[2].split()[0], 16)
    assert not ignored & (1 << signal.SIGHUP - 1 | 1 << signal.SIGTERM - 1 | 1 << signal.SIGINT - 1)


def test_a_program_is_looked_for_where_the_payload_says(bench, tmp_path):
    (tmp_path / "mine").write_text("#!/bin/sh\necho mine\n")
    (tmp_path / "mine").chmod(0o755)
    for limits in ({}, {"cpu_s": 5}):
        path = f"{tmp_path}:/usr/bin:/bin"
        bench.sh(["mine"], payload={"env": {"PATH": path}, "limits": limits})
        assert bench.printed == "mine\n"


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
