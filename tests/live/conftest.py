"""The web server as a process, serving what `served` is."""

import subprocess
import sys
from contextlib import contextmanager

import pytest

from tests.e2e.conftest import free_port

READY_S = 30


@contextmanager
def served(errors, application="tests.live.served:application"):
    """Its port and process id."""
    port = free_port()
    command = [sys.executable, "-m", "pexec_site.web", "-p", str(port), "--verbosity", "2"]
    with errors.open("wb") as stderr:
        process = subprocess.Popen([*command, application], stderr=stderr)
        try:
            while b"Listening" not in errors.read_bytes():
                assert process.poll() is None, errors.read_text()
            yield port, process.pid
        finally:
            process.terminate()
            process.wait(READY_S)


@pytest.fixture(scope="module")
def errors(tmp_path_factory):
    return tmp_path_factory.mktemp("web") / "errors"


@pytest.fixture(scope="module")
def server(errors):
    with served(errors) as found:
        yield found


@pytest.fixture(scope="module")
def url(server):
    return f"ws://127.0.0.1:{server[0]}/"
