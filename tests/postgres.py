"""A PostgreSQL cluster of the suite's own: made in a temporary directory, reached by a socket."""

import getpass
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

UNPRIVILEGED = "nobody"
"""The server refuses to run as root; then it runs as this user."""


def programs():
    """The directory of the newest server programs; None where there are none."""
    found = Path("/usr/lib/postgresql").glob("*/bin/postgres")
    newest = max(found, key=lambda path: float(path.parts[-3]), default=None)
    return newest and newest.parent


def run(*command):
    as_other = ["runuser", "-u", UNPRIVILEGED, "--"] if os.geteuid() == 0 else []
    subprocess.run(
        [*as_other, *map(str, command)],
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        cwd="/",
    )


@pytest.fixture(scope="session")
def postgres():
    """A `DATABASE_URL` for a server that ends with the session."""
    bin_dir = programs()
    if bin_dir is None:
        message = "no PostgreSQL here: apt-get install postgresql"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    home = Path(tempfile.mkdtemp(prefix="pexec-pg-"))
    if os.geteuid() == 0:
        shutil.chown(home, UNPRIVILEGED)
    data, name = home / "data", getpass.getuser()
    run(bin_dir / "initdb", "-D", data, "-A", "trust", "-U", name, "-E", "UTF8", "--no-sync")
    options = f"-k {home} -c listen_addresses='' -c fsync=off"
    run(bin_dir / "pg_ctl", "-D", data, "-l", home / "log", "-w", "-o", options, "start")
    try:
        run(bin_dir / "createdb", "-h", home, "-U", name, "pexec")
        yield f"postgres:///{home}/pexec"
    finally:
        run(bin_dir / "pg_ctl", "-D", data, "-m", "fast", "-w", "stop")
        shutil.rmtree(home)
