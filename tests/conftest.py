"""What every test may use: a real Redis, on the socket that the settings name."""

import importlib
import subprocess
import threading
from pathlib import Path

import pytest
import redis
from hypothesis import settings

from executions.management.embedded_redis import redis_command
from tests.environment import VAR
from tests.postgres import postgres

__all__ = ["postgres", "redis_server"]

settings.register_profile("suite", deadline=None)  # how busy the machine is says nothing
settings.load_profile("suite")


ASGIREF_THREAD = "ThreadPoolExecutor-"
"""The one thread in which sync code of async tests runs; it lives as long as the process."""


def processes_left():
    """Command lines of processes that were started in this suite's environment."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"PEXEC_VAR={VAR}".encode() in path.read_bytes().split(b"\0"):
                found.append((path.parent / "cmdline").read_text().replace("\0", " "))
        except OSError:  # ended meanwhile, or another user's
            continue
    return found


@pytest.fixture(scope="session", autouse=True)
def nothing_stays_behind():
    """Made first, so ended last: by then every process and every thread of the tests has ended."""
    before = set(threading.enumerate())
    yield
    assert processes_left() == []
    left = [t.name for t in set(threading.enumerate()) - before if not t.daemon]
    assert [name for name in left if not name.startswith(ASGIREF_THREAD)] == []


@pytest.fixture(scope="session")
def redis_server():
    socket = f"{VAR}/redis.sock"
    with subprocess.Popen(
        [*redis_command(socket, Path(VAR)), "--appendonly", "no"],
        stdout=subprocess.DEVNULL,
    ) as process:
        client = redis.Redis(unix_socket_path=socket, retry_on_error=[redis.ConnectionError])
        while not Path(socket).exists() or not client.ping():
            assert process.poll() is None
        client.close()
        yield socket
        process.terminate()


@pytest.fixture(scope="session")
def audit_triggers():
    """The statements that keep the audit, and those that let it go, on the database in use."""
    from django.db import connection

    found = importlib.import_module("executions.migrations.0011_audit_kept")
    return found.KEEP[connection.vendor], found.LET_GO[connection.vendor]


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker, audit_triggers):
    """Between tests all tables are emptied, also the audit; fails where migrations left it open."""
    from django.db import connection

    with django_db_blocker.unblock(), connection.cursor() as cursor:
        for statement in audit_triggers[1]:
            cursor.execute(statement)
