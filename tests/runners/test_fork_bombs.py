"""Commands that multiply: ended at their limit, all of them. Each ends by itself at sixty forks."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from executions.runners import watched
from executions.runners.base import End
from executions.runners.commands import Line

ROOT = Path(__file__).resolve().parents[2]
BOMB = "f() { [ $1 -gt 0 ] && { f $(($1 - 1)) & f $(($1 - 1)) & }; sleep 30; }; f 4"
FORMS = [
    BOMB,
    f"env -i setsid sh -c '{BOMB}' & sleep 30",
    "for i in 1 2 3 4 5 6 7 8 9; do env -i setsid sh -c 'setsid sleep 30 & sleep 30' & done; wait",
    f"trap '' TERM; {BOMB}",
]
LIMITED = {"limits": {"processes": 12}}


@pytest.mark.parametrize("bomb", FORMS)
def test_it_is_gone_when_it_passes_its_limit(bench, bomb):
    begun = time.monotonic()
    outcome = bench.sh(bomb, payload=LIMITED, timeout_s=25)
    assert (outcome.end, outcome.error) == (End.FAILED, "more than 12 processes")
    assert time.monotonic() - begun < 6
    assert bench.left() == []
    assert bench.sh("echo still here").end is End.COMPLETED


@pytest.mark.parametrize("bomb", FORMS)
def test_it_is_gone_at_its_time_limit(bench, bomb, monkeypatch):
    monkeypatch.setattr(watched, "GRACE_S", 0.2)
    assert bench.sh(bomb, timeout_s=0.3).end is End.TIMED_OUT
    assert bench.left() == []


def test_as_many_processes_as_allowed_may_run(bench):
    command = "for i in 1 2 3 4 5 6 7 8 9 10 11; do sleep 0.3 & done; wait"
    assert bench.sh(command, payload=LIMITED).end is End.COMPLETED


KEEPER = """
import socket, sys
from executions.runners import keeper, processes
keeper.PROCESSES_MOST = 12
processes.become_subreaper()
keeper.Keeper(socket.socket(fileno=int(sys.argv[1])), processes.ChildWake(), 20.0).serve()
"""


def test_there_is_a_limit_although_none_was_asked():
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, Path(os.devnull).open("r+b") as null:
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-c", KEEPER, str(theirs.fileno())],
                cwd=ROOT,
                pass_fds=[theirs.fileno()],
            )
        env = {"PATH": os.environ["PATH"]}
        request = {"do": "run", "argv": ["sh", "-c", BOMB], "env": env, "cwd": "/"}
        Line(ours, ours).say(request, [null.fileno()] * 2)
        ours.settimeout(20)
        assert json.loads(ours.recv(1000)) == {"pid": process.pid}
        said = json.loads(ours.recv(1000))
    assert said["why"] == "more than 12 processes"
    assert process.wait(10) == 0
