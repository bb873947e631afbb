"""Set-based writes: many rows changed by few statements, sent together where the database can.

A row's changes are a dict of column to plain value: times are epoch seconds, JSON is as it is.
Rows that change the same columns share one `executemany`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from django.db import connection, models

Row = dict[str, Any]
MOMENTS_KEPT = 64
"""Many rows of one transaction bear the same time."""


class StaleRowError(Exception):
    """A row is not there as remembered; forget the machine and load again from the database."""


@lru_cache(MOMENTS_KEPT)
def _moment(epoch_s: float) -> Any:
    """A time as the database takes it."""
    return connection.ops.adapt_datetimefield_value(datetime.fromtimestamp(epoch_s, UTC))


def _json(value: Any) -> Any:
    """A JSON value as the database takes it."""
    return connection.ops.adapt_json_value(value, None)


def _cursor() -> Any:
    """The database's own: Django's wrappers cost as much as a row.

    Of PostgreSQL one that has a statement prepared once and run with each row's values. Django's
    writes the values into the text, so that each row is parsed and planned anew.
    """
    if connection.vendor != "postgresql":
        return connection.create_cursor()
    from psycopg import Cursor

    return Cursor(connection.connection)


class Statements:
    """What is to be done within one transaction; see `statements`."""

    def __init__(self, cursors: ExitStack) -> None:
        self._cursors = cursors
        self._required: list[tuple[Any, Callable[[], Exception]]] = []
        self._sent: list[tuple[Any, int, str]] = []

    def require(
        self, query: str, values: tuple[Any, ...], otherwise: Callable[[], Exception]
    ) -> None:
        """Undo all unless this query finds a row; `otherwise` makes what is raised then."""
        cursor = self._cursors.enter_context(closing(_cursor()))
        cursor.execute(query, values)
        self._required.append((cursor, otherwise))

    def many(self, statement: str, values: list[tuple[Any, ...]]) -> None:
        """Run the statement with each of the values; every one must meet one row."""
        if values:
            cursor = self._cursors.enter_context(closing(_cursor()))
            cursor.executemany(statement, values)
            self._sent.append((cursor, len(values), statement))

    def check(self) -> None:
        """Raise what is missing, or StaleRowError for a row not met. Once all are answered."""
        for cursor, otherwise in self._required:
            if cursor.fetchone() is None:
                raise otherwise()
        for cursor, count, statement in self._sent:
            if cursor.rowcount != count:
                raise StaleRowError(f"{cursor.rowcount} of {count} rows: {statement}")


@contextmanager
def statements() -> Iterator[Statements]:
    """Statements of the transaction that is open; at the end of the block all are done.

    PostgreSQL is sent all of them before the first is answered: a trip there and back costs more
    than most of them. Raises StaleRowError where one met another number of rows, or what was
    required otherwise.
    """
    with ExitStack() as cursors:
        made = Statements(cursors)
        with ExitStack() as trip:
            trip.enter_context(connection.wrap_database_errors)
            if connection.vendor == "postgresql":
                trip.enter_context(connection.connection.pipeline())
            yield made
        made.check()


class Table:
    """Writes to one model's table. `key` are the attribute columns that find a row."""

    def __init__(self, model: type[models.Model], key: Sequence[str]) -> None:
        meta = model._meta  # noqa: SLF001 (Django documents _meta)
        self._name = connection.ops.quote_name(meta.db_table)
        self._key = tuple(key)
        fields = {f.attname: f for f in meta.concrete_fields}
        self._adapt: dict[str, Callable[[Any], Any]] = {
            n: _moment if isinstance(f, models.DateTimeField) else _json
            for n, f in fields.items()
            if isinstance(f, models.DateTimeField | models.JSONField)
        }
        """How values become those that the database takes, of columns where they differ."""
        self._defaults = {
            n: None if f.null else f.get_default() for n, f in fields.items() if not f.primary_key
        }

    def _adapted(self, row: Row) -> Row:
        """The row's values as the database takes them, in the same order."""
        adapt = self._adapt
        return {c: adapt[c](v) if c in adapt and v is not None else v for c, v in row.items()}

    def update(self, made: Statements, changes: Mapping[tuple[Any, ...], Row]) -> None:
        """Change rows by key; each of them must be there."""
        alike: defaultdict[tuple[str, ...], list[tuple[tuple[Any, ...], Row]]] = defaultdict(list)
        for key, row in changes.items():
            alike[tuple(row)].append((key, row))
        where = " AND ".join(f"{column} = %s" for column in self._key)
        for columns, members in alike.items():
            sets = ", ".join(f"{column} = %s" for column in columns)
            values = [(*self._adapted(row).values(), *key) for key, row in members]
            made.many(f"UPDATE {self._name} SET {sets} WHERE {where}", values)  # noqa: S608

    def insert(self, made: Statements, rows: Collection[Row]) -> None:
        """Add rows; columns not given take the model's default."""
        if not rows:
            return
        columns = tuple(self._defaults)
        names, marks = ", ".join(columns), ", ".join(["%s"] * len(columns))
        absent = self._adapted(self._defaults)
        values = [tuple({**absent, **self._adapted(row)}.values()) for row in rows]
        made.many(f"INSERT INTO {self._name} ({names}) VALUES ({marks})", values)  # noqa: S608

    def delete(self, made: Statements, keys: Collection[tuple[Any, ...]]) -> None:
        """Remove rows by key; each of them must be there."""
        where = " AND ".join(f"{column} = %s" for column in self._key)
        made.many(f"DELETE FROM {self._name} WHERE {where}", list(keys))  # noqa: S608
