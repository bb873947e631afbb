"""A PostgreSQL cluster of the suite's own: made in a temporary directory, reached by a socket."""

import getpass
import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

UNPRIVILEGED = "nobody"
"""The server refuses to run as root; then it runs as this user."""


def programs():
    """The directory of the newest server programs; None where there are none."""
    found = Path("/usr/lib/postgresql").glob("*/bin/postgres")
    newest = max(found, key=lambda path: float(path.parts[-3]), default=None)
    return newest and newest.parent


def run(*command, within=()):
    as_other = ["runuser", "-u", UNPRIVILEGED, "--"] if os.geteuid() == 0 else []
    subprocess.run(
        [*within, *as_other, *map(str, command)],
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        cwd="/",
    )


class Cluster:
    """A server in a directory: made, started, stopped, started again."""

    def __init__(
        self, home: Path, addresses: str = "", port: int = 5432, within=(), *, durable=False
    ):
        self.home, self.data = home, home / "data"
        self.within = within
        """Put before the command that starts it."""
        self.bin_dir = programs()
        self.options = (
            f"-k {home} -c fsync={'on' if durable else 'off'} -c max_connections=200 -c port={port}"
            f" -c listen_addresses={addresses or chr(39) * 2}"
        )

    @property
    def url(self):
        return f"postgres:///{self.home}/pexec"

    def make(self):
        if os.geteuid() == 0:
            shutil.chown(self.home, UNPRIVILEGED)
        name = getpass.getuser()
        run(self.bin_dir / "initdb", "-D", self.data, "-A", "trust", "-U", name, "-E", "UTF8",
            "--no-sync")  # fmt: skip
        self.start()
        run(self.bin_dir / "createdb", "-h", self.home, "-U", name, "pexec")

    def start(self):
        run(self.bin_dir / "pg_ctl", "-D", self.data, "-l", self.home / "log", "-w", "-t", "60",
            "-o", self.options, "start", within=self.within)  # fmt: skip

    def stop(self, mode="fast"):
        run(self.bin_dir / "pg_ctl", "-D", self.data, "-m", mode, "-w", "-t", "60", "stop")


@contextmanager
def cluster(*, durable=False):
    """A server of the caller's own, until the end of the block; durable: as `initdb` makes it."""
    found = Cluster(Path(tempfile.mkdtemp(prefix="pexec-pg-")), durable=durable)
    found.make()
    try:
        yield found
    finally:
        found.stop("immediate")
        shutil.rmtree(found.home)


@pytest.fixture(scope="session")
def postgres():
    """A `DATABASE_URL` for a server that ends with the session."""
    if programs() is None:
        message = "no PostgreSQL here: apt-get install postgresql"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    with cluster() as found:
        yield found.url
