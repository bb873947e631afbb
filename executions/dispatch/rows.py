"""Set-based writes: many rows of one table changed by few statements.

A row's changes are a dict of column to plain value: times are epoch seconds, JSON is as it is.
Rows that change the same columns share one `executemany`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
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


class Table:
    """Writes to one model's table. `key` are the attribute columns that find a row."""

    def __init__(self, model: type[models.Model], key: Sequence[str]) -> None:
        meta = model._meta  # noqa: SLF001 (Django documents _meta)
        self._name = connection.ops.quote_name(meta.db_table)
        self._key = tuple(key)
        fields = {f.attname: f for f in meta.concrete_fields}
        self._times = frozenset(n for n, f in fields.items() if isinstance(f, models.DateTimeField))
        self._json = frozenset(n for n, f in fields.items() if isinstance(f, models.JSONField))
        self._defaults = {
            n: None if f.null else f.get_default() for n, f in fields.items() if not f.primary_key
        }

    def _value(self, column: str, value: Any) -> Any:
        if value is None:
            return None
        if column in self._times:
            return _moment(value)
        if column in self._json:
            return connection.ops.adapt_json_value(value, None)
        return value

    def update(self, changes: Mapping[tuple[Any, ...], Row]) -> None:
        """Change rows by key. Raises StaleRowError unless each of them is there."""
        alike: defaultdict[tuple[str, ...], list[tuple[tuple[Any, ...], Row]]] = defaultdict(list)
        for key, row in changes.items():
            alike[tuple(row)].append((key, row))
        where = " AND ".join(f"{column} = %s" for column in self._key)
        for columns, members in alike.items():
            sets = ", ".join(f"{column} = %s" for column in columns)
            values = [(*(self._value(c, row[c]) for c in columns), *key) for key, row in members]
            self._many(f"UPDATE {self._name} SET {sets} WHERE {where}", values)  # noqa: S608

    def insert(self, rows: Collection[Row]) -> None:
        """Add rows; columns not given take the model's default."""
        if not rows:
            return
        columns = tuple(self._defaults)
        names, marks = ", ".join(columns), ", ".join(["%s"] * len(columns))
        absent = {column: self._value(column, value) for column, value in self._defaults.items()}
        adapted = self._times | self._json
        plain = [(column, column not in adapted) for column in columns]
        values = [
            tuple(
                absent[column]
                if column not in row
                else row[column]
                if is_plain
                else self._value(column, row[column])
                for column, is_plain in plain
            )
            for row in rows
        ]
        self._many(f"INSERT INTO {self._name} ({names}) VALUES ({marks})", values)  # noqa: S608

    def delete(self, keys: Collection[tuple[Any, ...]]) -> None:
        """Remove rows by key. Raises StaleRowError unless each of them is there."""
        where = " AND ".join(f"{column} = %s" for column in self._key)
        self._many(f"DELETE FROM {self._name} WHERE {where}", list(keys))  # noqa: S608

    def _many(self, statement: str, values: list[tuple[Any, ...]]) -> None:
        if not values:
            return
        with connection.cursor() as cursor:
            cursor.executemany(statement, values)
            if cursor.rowcount != len(values):
                raise StaleRowError(f"{cursor.rowcount} of {len(values)} rows: {statement}")
