"""`manage.py up`: one line when ready, a clean stop, and on it goes the next time."""

import socket
import subprocess
import sys

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
