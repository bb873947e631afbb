"""A whole site, started as `make run` starts it, and a client that speaks to it from outside."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import closing
from pathlib import Path

import pytest
from websockets.sync.client import connect

from pexec_site.sqlite import LIBRARY as SQLITE
from tests.e2e.chromium import chromium

__all__ = ["chromium"]

ROOT = Path(__file__).resolve().parents[2]
READY_S = 90


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class SiteClient:
    """One running site and a token for it."""

    def __init__(self, port, user, password, var):
        self.port, self.user, self.password, self.var = port, user, password, var
        self.address = f"http://localhost:{port}"
        made = self.call(
            "POST",
            "/api/v1/tokens/",
            {"username": user, "password": password, "scope": "configure"},
        )
        self.token = made["token"]

    token = ""

    def call(self, method, path, body=None, **headers):
        """JSON of the answer; raises HTTPError."""
        with self.open(method, path, body, **headers) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def open(self, method, path, body=None, **headers):
        request = urllib.request.Request(
            self.address + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", **headers},
        )
        if self.token:
            request.add_header("Authorization", f"Token {self.token}")
        return urllib.request.urlopen(request, timeout=30)

    def submit(self, spec):
        return self.call("POST", "/api/v1/executions/", {"spec": spec})["id"]

    def report(self, public_id):
        found = self.call("GET", f"/api/v1/executions/{public_id}/report/?format=json")
        return found["parallel_execution"]

    def session(self):
        """A session cookie, as a browser gets it by signing in."""
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        page = opener.open(f"{self.address}/login/").read().decode()
        csrf = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)[1]
        form = f"csrfmiddlewaretoken={csrf}&username={self.user}&password={self.password}"
        request = urllib.request.Request(
            f"{self.address}/login/", form.encode(), {"Referer": f"{self.address}/login/"}
        )
        opener.open(request)
        jar = next(h.cookiejar for h in opener.handlers if hasattr(h, "cookiejar"))
        return next(c.value for c in jar if c.name == "sessionid")

    def frames(self, public_id, session):
        """Frames of the live page until the execution is over, and how it ended."""
        headers = {"Cookie": f"sessionid={session}", "Origin": self.address}
        url = f"ws://localhost:{self.port}/ws/executions/{public_id}/"
        with connect(url, additional_headers=headers, max_size=None) as live:
            while True:
                frame = json.loads(live.recv(timeout=60))
                yield frame
                execution = frame.get("execution", {})
                if execution.get("state") in ("completed", "failed", "cancelled"):
                    return

    def finished(self, public_id, session):
        """Wait for its end by its frames; the report."""
        for _ in self.frames(public_id, session):
            pass
        return self.report(public_id)

    def rows(self, query, *values):
        """Straight from the database, beside the program."""
        with closing(SQLITE.connect(f"{self.var}/pexec.sqlite3", timeout=20)) as database:
            database.row_factory = SQLITE.Row
            return database.execute(query, values).fetchall()


def start(var, port, *options, **more):
    """`manage.py up` in an environment of its own (and `more`), and the line it prints."""
    own = ("REDIS_URL", "DATABASE_URL", "PEXEC_RUNNERS")
    environment = {name: value for name, value in os.environ.items() if name not in own}
    errors = Path(var) / "up.err"
    with errors.open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "up", *options],
            cwd=ROOT,
            env={**environment, "PEXEC_VAR": str(var), "PORT": str(port), **more},
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            start_new_session=True,
        )
    line = process.stdout.readline()
    found = re.search(r"http://localhost:(\d+)/\s+user: (\S+)\s+password: (\S+)", line)
    assert found, f"{line!r}; {errors.read_text()[-3000:]}"
    return process, found


def stop(process):
    """Ctrl-C."""
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=90)


def processes_of(var):
    """Processes whose environment names this site's directory."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"PEXEC_VAR={var}".encode() in path.read_bytes().split(b"\0"):
                found.append(path.parent.name)
        except OSError:
            continue
    return found


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    var = tmp_path_factory.mktemp("site")
    process, found = start(var, free_port(), "--no-demo")
    yield SiteClient(int(found[1]), found[2], found[3], str(var))
    stop(process)
    assert processes_of(var) == []


@pytest.fixture(scope="session")
def session(site):
    return site.session()
