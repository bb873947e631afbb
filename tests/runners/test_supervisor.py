"""The supervisor: what happens to commands when the worker dies, or it dies itself."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

ROOT = Path(__file__).resolve().parents[2]
WORKER = """
import sys, threading, time
from pathlib import Path
from executions.runners.base import Context
from executions.runners.output import OutputBuffer
from executions.runners.registry import RunnerOptions, RunnerSet

runners = RunnerSet(["shell"], RunnerOptions(Path(sys.argv[1]), silence_s=float(sys.argv[2])))
runners.start()

def alive():
    while True:
        runners.keep_alive()
        time.sleep(0.05)

threading.Thread(target=alive, daemon=True).start()
context = Context("PEXEC-1", "T1", 1, sys.argv[3], 60.0, OutputBuffer(tap=lambda o, d: print(d, flush=True)))
runners.run("shell", {"command": "trap '' TERM; (setsid sleep 61 &); sleep 60 & echo begun; wait; sleep 60"}, context)
"""  # noqa: E501 (a program)


TOKEN = f"dying-{os.getpid()}"
BEGUN_WITHIN_S = 10


def marked():
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"PEXEC_TOKEN={TOKEN}".encode() in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def wait_gone(within_s):
    deadline = time.monotonic() + within_s
    while marked():
        assert time.monotonic() < deadline, f"still there: {marked()}"
        os.sched_yield()


@contextmanager
def worker(tmp_path, silence_s):
    with subprocess.Popen(
        [sys.executable, "-c", WORKER, str(tmp_path), str(silence_s), TOKEN],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout.readline()
        deadline = time.monotonic() + BEGUN_WITHIN_S
        while len(marked()) < 3:
            assert time.monotonic() < deadline, marked()
            os.sched_yield()
        yield process
        process.kill()


def test_when_the_worker_is_killed_every_tree_is_gone(tmp_path):
    with worker(tmp_path, 20) as process:
        process.kill()
        wait_gone(6)


def test_when_the_worker_is_stopped_its_commands_are_killed(tmp_path):
    with worker(tmp_path, 0.5) as process:
        process.send_signal(signal.SIGSTOP)
        wait_gone(6)


def test_when_the_supervisor_dies_its_commands_end_and_a_new_one_serves(bench):
    victim = bench.runners._commands._process
    bench.progress = SimpleNamespace(append=lambda _said: victim.kill())
    outcome = bench.sh("echo '::progress 1 begun'; sleep 60")
    assert outcome.error == "the supervisor of commands is gone"
    deadline = time.monotonic() + 5
    while bench.left():
        assert time.monotonic() < deadline, "its command lives on"
    assert bench.sh("echo again").end == "completed"
