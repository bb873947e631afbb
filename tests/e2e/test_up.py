"""`manage.py up`: one line when ready, a clean stop, and on it goes the next time."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.e2e.conftest import ROOT, SiteClient, free_port, processes_of, start, stop

pytestmark = pytest.mark.processes


def test_a_second_start_carries_on_where_the_first_stopped(tmp_path):
    port = free_port()
    process, found = start(tmp_path, port, "--no-demo")
    site = SiteClient(port, found[2], found[3], str(tmp_path))
    public_id = site.submit(
        {
            "name": "long",
            "tasks": [
                {"id": "A", "runner": "shell", "payload": {"command": "sleep 60"}},
                {"id": "B", "runner": "noop"},
            ],
        }
    )
    live = site.frames(public_id, site.session())
    next(frame for frame in live if '"running"' in str(frame).replace("'", '"'))
    live.close()
    stop(process)
    assert processes_of(tmp_path) == []
    assert not (tmp_path / "redis.sock").exists()
    process, again = start(tmp_path, port, "--no-demo")
    try:
        assert again[3] == found[3]
        assert site.call("GET", f"/api/v1/executions/{public_id}/")["status"] == "running"
        site.call("POST", f"/api/v1/executions/{public_id}/cancel/")
        report = site.finished(public_id, site.session())
        assert report["status"] == "cancelled"
        assert report["results"]["B"]["attempts"] == 1
    finally:
        stop(process)
    assert processes_of(tmp_path) == []


def test_a_taken_port_is_one_clear_line(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "manage.py", "up"],
            cwd=ROOT,
            env={"PATH": "/usr/bin:/bin", "PEXEC_VAR": str(tmp_path), "PORT": str(port)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert f"PORT={port + 1}" in done.stderr


def test_a_path_with_a_percent_sign_and_blanks_is_a_path_like_others(tmp_path):
    var = tmp_path / "100 %d of it"
    var.mkdir()
    process, _ = start(var, free_port(), "--no-demo")
    stop(process)
    assert processes_of(var) == []


def test_every_process_that_is_killed_comes_back(tmp_path):
    port = free_port()
    process, found = start(tmp_path, port, "--no-demo", PEXEC_TEMPO="0.2")
    try:
        site = SiteClient(port, found[2], found[3], str(tmp_path))
        killed = {int(pid) for pid in processes_of(tmp_path) if command_of(pid)[1] == "celery"}
        assert len(killed) == 2  # a dispatcher and a worker
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        public_id = site.submit({"name": "later", "tasks": [{"id": "A", "runner": "noop"}]})
        report = site.finished(public_id, site.session())
        assert report["status"] == "completed"
    finally:
        stop(process)
    assert processes_of(tmp_path) == []


def test_being_told_to_stop_again_and_again_changes_nothing(tmp_path):
    process, _ = start(tmp_path, free_port(), "--no-demo")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        process.send_signal(number)
    process.communicate(timeout=90)
    assert processes_of(tmp_path) == []
    assert not (tmp_path / "redis.sock").exists()


def test_when_it_is_killed_the_rest_ends_too(tmp_path):
    process, _ = start(tmp_path, free_port(), "--no-demo")
    process.kill()
    process.communicate(timeout=10)
    deadline = time.monotonic() + 60
    while processes_of(tmp_path):
        assert time.monotonic() < deadline
        threading.Event().wait(0.1)


def command_of(pid):
    """Program and module of a process: ("python", "celery")."""
    words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    module = words[words.index("-m") + 1] if "-m" in words else ""
    return Path(words[0]).name, module


@pytest.mark.parametrize("made", ["pexec.sqlite3", "redis.sock"])
def test_ctrl_c_while_it_starts_leaves_nothing(tmp_path, made):
    environment = {**os.environ, "PEXEC_VAR": str(tmp_path), "PORT": str(free_port())}
    environment.pop("REDIS_URL")
    process = subprocess.Popen(
        [sys.executable, "manage.py", "up", "--no-demo"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    turn = threading.Event()
    while not (tmp_path / made).exists():
        assert process.poll() is None
        turn.wait(0.01)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=90)
    assert b"Traceback" not in said
    assert b"pexec runs at" not in said
    assert processes_of(tmp_path) == []
    assert not (tmp_path / "redis.sock").exists()
