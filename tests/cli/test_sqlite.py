"""Which SQLite is used, and that every commit is on disk before anybody is told of it."""

import pytest
from django.db import connection

from pexec_site import sqlite
from pexec_site.settings import SQLITE_JOURNAL, wal_is_safe

FULL = 2

on_sqlite = pytest.mark.skipif("connection.vendor != 'sqlite'", reason="for SQLite alone")


@pytest.mark.parametrize("version", [(3, 44, 6), (3, 50, 7), (3, 50, 8), (3, 51, 3), (3, 53, 0)])
def test_the_log_is_written_ahead_where_that_is_safe(version):
    assert wal_is_safe(version)


@pytest.mark.parametrize("version", [(3, 40, 1), (3, 44, 5), (3, 45, 9), (3, 50, 6), (3, 51, 2)])
def test_releases_with_the_reset_bug_keep_the_rollback_journal(version):
    assert not wal_is_safe(version)


@on_sqlite
@pytest.mark.django_db
def test_django_speaks_the_sqlite_that_the_journal_was_chosen_for():
    assert connection.Database.sqlite_version_info == sqlite.VERSION


@on_sqlite
@pytest.mark.django_db(transaction=True)
def test_a_commit_is_on_disk_before_it_counts():
    with connection.cursor() as cursor:
        found = [
            cursor.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous")
        ]
    assert found == [SQLITE_JOURNAL.lower(), FULL]
