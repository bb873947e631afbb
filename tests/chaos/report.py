"""docs/faults.md: what the drills saw. A row that is drilled again replaces its old line."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

TABLE = Path(__file__).resolve().parents[2] / "docs" / "faults.md"
NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
COLUMNS = ("row", "fault", "seen", "pages equal after", "took", "on")

Lines = dict[str, tuple[str, ...]]
"""The cells of a line by its row."""


def line_of(result: dict[str, Any]) -> tuple[str, ...]:
    """What one drill saw, as cells."""
    cells = (
        result["row"],
        result["what"],
        result["saw"],
        f"{result['pages_s']:.1f} s" if "pages_s" in result else "",
        f"{result['s']:.0f} s",
        f"{datetime.now(UTC):%Y-%m-%d}",
    )
    return tuple(" ".join(cell.replace("|", "/").split()) for cell in cells)


def read(text: str) -> dict[str, Lines]:
    """The lines of the page by database."""
    found: defaultdict[str, Lines] = defaultdict(dict)
    database = ""
    for line in text.splitlines():
        if line.startswith("## "):
            database = next((key for key, name in NAMES.items() if line[3:] == name), "")
        cells = tuple(cell.strip() for cell in line.strip("|").split("|"))
        if database and line.startswith("|") and len(cells) == len(COLUMNS):
            found[database][cells[0]] = cells
    for lines in found.values():
        for heading in (COLUMNS[0], "---"):
            lines.pop(heading, None)
    return dict(found)


def merged(old: dict[str, Lines], seen: dict[str, Lines], rows: list[str]) -> dict[str, Lines]:
    """Old and new lines, in the order of `rows`; what is no row any more is dropped."""
    both = {name: {**old.get(name, {}), **seen.get(name, {})} for name in NAMES}
    return {name: {row: lines[row] for row in rows if row in lines} for name, lines in both.items()}


def page(tables: dict[str, Lines]) -> str:
    """The whole page."""
    counts = ", ".join(f"{len(lines)} on {NAMES[name]}" for name, lines in tables.items() if lines)
    text = [
        "# Faults injected and what was seen",
        "",
        f"Rows drilled: {counts}. Made by `make chaos` (all rows, both databases) or",
        "`python -m tests.chaos --write ROW ...` (these rows; the others keep their lines).",
        "Each line is a whole site of real processes at full tempo on which one fault was",
        "injected, and is written only where no promise was broken: every run and every permit",
        "ended; no limit, order, attempt number or retry broken at any instant of the attempt log",
        "(`tests/invariants.py`); the tasks' own diary agrees with it; open pages show what the",
        "database holds (the column says how long after the last run); the database is sound; no",
        "zombie, no process left, no secret and no token in a log.",
    ]
    for name, lines in tables.items():
        if lines:
            text += ["", f"## {NAMES[name]}", "", _row(COLUMNS), _row(("---",) * len(COLUMNS))]
            text += [_row(cells) for cells in lines.values()]
    return "\n".join(text) + "\n"


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


def write(seen: dict[str, list[dict[str, Any]]], rows: list[str]) -> None:
    """Put what was seen into the page."""
    old = read(TABLE.read_text()) if TABLE.exists() else {}
    new = {name: {r["row"]: line_of(r) for r in results} for name, results in seen.items()}
    TABLE.write_text(page(merged(old, new, rows)))
