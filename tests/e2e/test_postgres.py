"""The same promises on PostgreSQL: the tests of what writes, and a whole site with two workers."""

import os
import subprocess
import sys
import time

import psycopg
import pytest

from tests.e2e.conftest import ROOT, SiteClient, free_port, processes_of, start, stop

pytestmark = [pytest.mark.processes, pytest.mark.postgres]
WRITERS = (
    "tests/dispatch",
    "tests/api/test_at_once.py",
    "tests/api/test_executions.py",
    "tests/api/test_work.py",
)
ATTEMPTS = "select dispatched_at, worker from executions_attempt"
HELD_AT = """
    select count(*) from executions_attempt a join executions_taskrun t on t.id = a.task_run_id
    where t.team = 'pm_team' and a.dispatched_at <= %(at)s and a.released_at > %(at)s
"""


def test_what_writes_holds_on_postgresql(postgres):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *WRITERS],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": postgres},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:]


def three_at_once():
    task = {"runner": "sleep", "payload": {"seconds": 0.1}, "team": "pm_team"}
    return {"name": "three at once", "tasks": [{"id": f"T-{n}", **task} for n in range(24)]}


def wait_for_workers(database, number, within_s=30):
    deadline = time.monotonic() + within_s
    while database.execute("select 1 from executions_workerprocess").rowcount < number:
        assert time.monotonic() < deadline


def sessions_for(database, site, requests):
    """How many sessions the server began while so many requests were answered."""
    counted = "select sessions from pg_stat_database where datname = current_database()"
    before = database.execute(counted).fetchone()[0]
    for _ in range(requests):
        site.call("GET", "/api/v1/executions/")
    return database.execute(counted).fetchone()[0] - before


def test_a_site_with_two_workers_keeps_a_limit_on_postgresql(postgres, tmp_path):
    options = ("--no-demo", "--workers", "2", "--slots", "4")
    process, found = start(tmp_path, free_port(), *options, DATABASE_URL=postgres)
    host, name = postgres.removeprefix("postgres:///").rsplit("/", 1)
    try:
        site = SiteClient(int(found[1]), found[2], found[3], str(tmp_path))
        with psycopg.connect(host=host, dbname=name, autocommit=True) as database:
            wait_for_workers(database, 2)
            assert sessions_for(database, site, requests=50) <= 25
            report = site.finished(site.submit(three_at_once()), site.session())
            attempts = database.execute(ATTEMPTS).fetchall()
            held = [database.execute(HELD_AT, {"at": at}).fetchone()[0] for at, _ in attempts]
        assert report["status"] == "completed"
        assert report["tasks"]["completed"] == len(attempts) == 24
        assert max(held) == 3
        assert len({worker for _, worker in attempts}) == 2
    finally:
        stop(process)
    assert processes_of(tmp_path) == []
