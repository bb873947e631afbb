"""The same tests of the shell on PostgreSQL, in a cluster of its own."""

import os
import pwd
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.environment import VAR

ROOT = Path(__file__).resolve().parents[2]


def programs():
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    on_path = shutil.which("postgres")
    if not found and not on_path:
        message = "no PostgreSQL server programs here: apt-get install postgresql"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return Path(str(found[-1]) if found else on_path).parent


@pytest.fixture
def cluster(tmp_path):
    """DATABASE_URL of a server that is gone afterwards. It never runs as root."""
    bin_ = programs()
    home = tmp_path / "cluster"
    home.mkdir()
    as_owner = []
    if os.geteuid() == 0:
        owner = "postgres" if "postgres" in {p.pw_name for p in pwd.getpwall()} else "nobody"
        shutil.chown(home, owner)
        for parent in home.parents:
            if not parent.stat().st_mode & 0o001:
                parent.chmod(parent.stat().st_mode | 0o011)
        as_owner = ["runuser", "-u", owner, "--"]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    def run(*command):
        subprocess.run(
            [*as_owner, *command], cwd=home, check=True, stdout=subprocess.DEVNULL, timeout=60
        )

    data = str(home / "data")
    run(str(bin_ / "initdb"), "-D", data, "-A", "trust", "-U", "pexec")
    options = f"-p {port} -k {home} -c listen_addresses=127.0.0.1 -c fsync=off"
    start = ("-D", data, "-o", options, "-l", f"{home}/log", "-w", "start")
    run(str(bin_ / "pg_ctl"), *start)
    try:
        yield f"postgres://pexec@127.0.0.1:{port}/postgres"
    finally:
        run(str(bin_ / "pg_ctl"), "-D", data, "-m", "immediate", "-w", "stop")


@pytest.mark.processes
@pytest.mark.postgres
def test_the_shell_holds_on_postgresql_too(cluster, redis_server):
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
            *("tests/dispatch", "--deselect", "tests/dispatch/test_postgres.py"),
        ],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": cluster, "PEXEC_VAR": VAR},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    assert "passed" in done.stdout
