"""The audit as a table, safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from typing import Any, Final

from executions.exports.csv_rows import guarded

COLUMNS: Final = ("at", "by", "verb", "target", "details")


def audit_csv(entries: Iterable[tuple[str, str, str, str, Any]]) -> str:
    """A header and a row for each (ISO time, person, verb, target, details)."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for *texts, details in entries:
        said = json.dumps(details, ensure_ascii=False) if details else ""
        writer.writerow([guarded(text) for text in (*texts, said)])
    return file.getvalue()
