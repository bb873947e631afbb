"""Which SQLite this process speaks: a recent one where it is installed, else Python's own.

Python brings the SQLite of its system, mostly one with the WAL-reset bug, which must not use the
write-ahead log (see settings). To be imported before Django looks for `sqlite3`.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from importlib import import_module

with suppress(ImportError):  # there is none for every machine
    sys.modules["sqlite3.dbapi2"] = import_module("pysqlite3.dbapi2")
    sys.modules["sqlite3"] = import_module("pysqlite3")

LIBRARY = import_module("sqlite3")
"""For whoever opens a database beside Django (drills and tests do)."""
VERSION: tuple[int, int, int] = LIBRARY.sqlite_version_info
