"""The supervisor and its keepers: what is left when the worker dies, or one of them."""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from executions.runners import watched
from executions.runners.base import End
from executions.runners.processes import children_by_parent, descendants

ROOT = Path(__file__).resolve().parents[2]
WORKER = """
import sys, threading, time
from pathlib import Path
from executions.runners.base import Context
from executions.runners.output import OutputBuffer
from executions.runners.registry import RunnerOptions, RunnerSet

options = RunnerOptions(Path(sys.argv[1]), ("tests.runners.work.*",), silence_s=float(sys.argv[2]))
runners = RunnerSet(["shell", "python"], options)
runners.start()

def alive():
    while True:
        runners.keep_alive()
        time.sleep(0.05)

def run(name, payload, token):
    context = Context("PEXEC-1", "T1", 1, token, 60.0, OutputBuffer())
    runners.run(name, payload, context)

threading.Thread(target=alive, daemon=True).start()
threading.Thread(target=run, args=("python", {"callable": "tests.runners.work.scatter"}, "two")).start()
run("shell", {"command": "trap '' TERM; (env -i setsid sleep 61 &); sleep 60 & wait; sleep 60"}, "one")
"""  # noqa: E501 (a program)
PROCESSES = 1 + 2 + 3 + 2
"""Supervisor, keepers, what the command is, what the call is."""
SLEEPERS = ["60", "60", "61"]
BEGUN_WITHIN_S = 10


def wait_until(is_so, within_s):
    deadline = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < deadline
        os.sched_yield()


def begun(pid):
    """All below a worker once every command sleeps: a look before that may see what soon ends."""
    found = []

    def is_so():
        found[:] = descendants(pid)
        return sorted(filter(None, map(slept, found))) == SLEEPERS and len(found) == PROCESSES

    wait_until(is_so, BEGUN_WITHIN_S)
    return found


def slept(pid):
    """How long a process was told to sleep; empty: it is no `sleep`."""
    try:
        name, _, rest = Path(f"/proc/{pid}/cmdline").read_text().partition("\0")
    except OSError:
        return ""
    return rest.strip("\0") if name.endswith("sleep") else ""


@contextmanager
def worker(tmp_path, silence_s):
    """A worker with a command and a call, and every process below it."""
    with subprocess.Popen(
        [sys.executable, "-c", WORKER, str(tmp_path), str(silence_s)], cwd=ROOT
    ) as process:
        tree = begun(process.pid)
        yield process, tree
        process.kill()
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in tree), 6)


def test_when_the_worker_is_killed_every_tree_is_gone(tmp_path):
    with worker(tmp_path, 20) as (process, _tree):
        process.kill()


def test_when_the_worker_is_stopped_its_commands_are_killed(tmp_path):
    with worker(tmp_path, 0.5) as (process, tree):
        process.send_signal(signal.SIGSTOP)
        supervisor = children_by_parent()[process.pid]
        keepers = children_by_parent()[supervisor[0]]
        rest = set(tree) - {*supervisor, *keepers}
        wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in rest), 6)


def test_when_the_supervisor_is_killed_all_ends_with_the_worker_yet(tmp_path):
    with worker(tmp_path, 20) as (process, tree):
        os.kill(children_by_parent()[process.pid][0], signal.SIGKILL)
        assert len(tree) == PROCESSES


def keepers(bench):
    return children_by_parent().get(bench.runners._commands._process.pid, [])


def keeper_of(bench):
    return next(pid for pid in keepers(bench) if descendants(pid))


def on_progress(bench, act):
    """Do something once the command has begun."""
    bench.progress = type("", (), {"append": staticmethod(lambda _said: act())})


def test_when_the_supervisor_dies_its_commands_go_on_and_a_new_one_serves(bench):
    victim = bench.runners._commands._process
    on_progress(bench, victim.kill)
    outcome = bench.sh("echo '::progress 1 begun'; sleep 0.3; echo '[1]'")
    assert (outcome.end, outcome.result) == (End.COMPLETED, [1])
    outcomes = []
    both = threading.Barrier(2)

    def run():
        both.wait()
        outcomes.append(bench.sh("sleep 0.2").end)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == [End.COMPLETED] * 2
    assert bench.runners._commands._process is not victim


@pytest.mark.parametrize("what", ["sleep 60", "env -i setsid sleep 60 & sleep 60"])
def test_when_a_keeper_dies_its_attempt_has_failed_and_is_gone(bench, what):
    before = set(keepers(bench))
    bench.sh("true")
    left = []

    def kill():
        keeper = keeper_of(bench)
        left.extend(descendants(keeper))
        os.kill(keeper, signal.SIGKILL)

    on_progress(bench, kill)
    outcome = bench.sh(f"{what} & echo '::progress 1 begun'; wait; sleep 60")
    assert outcome.error == "the supervisor of commands is gone"
    assert left
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in left), 5)
    assert bench.sh("echo again").end is End.COMPLETED
    assert len(keepers(bench)) <= len(before) + 1


def test_a_keeper_that_is_stopped_is_given_up_at_last(bench, monkeypatch):
    monkeypatch.setattr(watched, "GRACE_S", 0.1)
    monkeypatch.setattr(watched, "PATIENCE_S", 0.2)
    left = []

    def stop():
        left.extend(descendants(keeper_of(bench)))
        os.kill(keeper_of(bench), signal.SIGSTOP)

    on_progress(bench, stop)
    outcome = bench.sh("echo '::progress 1 begun'; env -i setsid sleep 60", timeout_s=0.5)
    assert outcome.end is End.TIMED_OUT
    assert left
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in left), 5)
    assert bench.sh("echo again").end is End.COMPLETED


def test_a_command_nobody_listens_to_is_ended(bench):
    def fail():
        raise LookupError("no room")

    on_progress(bench, fail)
    outcome = bench.sh("echo '::progress 1 begun'; sleep 60")
    assert outcome.error == "LookupError: no room"
    assert bench.left() == []


def test_a_late_stop_of_one_attempt_spares_the_next_on_its_keeper(bench):
    commands = bench.runners._commands

    def begin(*argv):
        with Path(os.devnull).open("r+b") as null:
            return commands.run(
                argv,
                env={"PATH": os.environ["PATH"]},
                cwd=Path("/"),
                stdin=null.fileno(),
                output=null.fileno(),
                mark="M=1",
                limits={},
            )

    first = begin("true")
    while not first.is_over:
        first.hear()
    second = begin("sleep", "0.2")
    assert second.fileno() == first.fileno()
    first.stop(0)
    first.abandon()
    while not second.is_over:
        second.hear()
    assert second.result() == 0
