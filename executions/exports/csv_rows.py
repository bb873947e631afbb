"""One row a task, safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from typing import Any, Final

from executions.exports.plain_text import plain

COLUMNS: Final = (
    "task_id",
    "status",
    "started_at",
    "ended_at",
    "duration_ms",
    "attempts",
    "reason",
    "error",
    "skipped_because_of",
    "result",
)
FORMULA_STARTS: Final = (*"=+-@", "\t", "\r", "\n", *"＝＋－＠")  # noqa: RUF001 (wide ones, too)


def guarded(cell: str) -> str:
    """A cell no spreadsheet takes for a formula, and no terminal for commands."""
    cell = plain(cell)
    return f"'{cell}" if cell.startswith(FORMULA_STARTS) else cell


def text(report: Mapping[str, Any]) -> str:
    """A header and a row for each task, in the group's order."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for task_id, result in report["parallel_execution"]["results"].items():
        writer.writerow([guarded(_cell(task_id, result, column)) for column in COLUMNS])
    return file.getvalue()


def _cell(task_id: str, result: Mapping[str, Any], column: str) -> str:
    if column == "task_id":
        return task_id
    if column == "ended_at":
        ends = ("completed_at", "failed_at", "cancelled_at")
        return next((str(result[e]) for e in ends if result.get(e)), "")
    value = result.get(column)
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
