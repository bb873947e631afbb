"""docs/faults.md: what the drills saw. What is drilled again replaces its old line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

TABLE = Path(__file__).resolve().parents[2] / "docs" / "faults.md"
NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
ROWS = ("row", "fault", "seen", "pages equal after", "took", "on")

Cells = tuple[str, ...]
Lines = dict[str, Cells]
"""The cells of a line by the first of them."""


@dataclass(frozen=True, slots=True)
class Section:
    """One table of the page."""

    title: str
    columns: Cells
    intro: str = ""


SECTIONS = {
    "sqlite": Section("SQLite", ROWS),
    "postgresql": Section("PostgreSQL", ROWS),
    "mutants": Section(
        "Rules taken out",
        ("rule", "row", "on SQLite it failed with", "on PostgreSQL it failed with", "on"),
        """Made by `python -m tests.chaos --mutants --write`: one rule is taken out of every process
of a site, and the drill of the row, which holds with the rule, fails with the promise that the rule
guards.""",
    ),
    "seeds": Section(
        "Mixtures",
        ("database", "seeds", "faults injected", "seen", "took", "on"),
        """Made by `python -m tests.chaos --seeds 200 --tempo 0.2 --write`: two to four faults from
each seed, on sites that ten seeds use one after the other; all that must hold after a row is held
after every seed.""",
    ),
}


def today() -> str:
    """For the last cell."""
    return f"{datetime.now(UTC):%Y-%m-%d}"


def line_of(result: dict[str, Any]) -> Cells:
    """What one drill saw, as cells."""
    return (
        result["row"],
        result["what"],
        result["saw"],
        f"{result['pages_s']:.1f} s" if "pages_s" in result else "",
        f"{result['s']:.0f} s",
        today(),
    )


def read(text: str) -> dict[str, Lines]:
    """The lines of the page by section."""
    found: dict[str, Lines] = {key: {} for key in SECTIONS}
    key = ""
    for line in text.splitlines():
        if line.startswith("## "):
            key = next((k for k, section in SECTIONS.items() if line[3:] == section.title), "")
        cells = tuple(cell.strip() for cell in line.strip("|").split("|"))
        if key and line.startswith("|") and len(cells) == len(SECTIONS[key].columns):
            found[key][cells[0]] = cells
    for key, lines in found.items():
        for heading in (SECTIONS[key].columns[0], "---"):
            lines.pop(heading, None)
    return found


def merged(old: dict[str, Lines], seen: Mapping[str, Lines], rows: list[str]) -> dict[str, Lines]:
    """Old and new lines, in the order of `rows`; what is no row any more is dropped."""
    both = {key: {**old.get(key, {}), **seen.get(key, {})} for key in SECTIONS}
    for name in NAMES if rows else ():
        both[name] = {row: both[name][row] for row in rows if row in both[name]}
    return both


def page(tables: dict[str, Lines]) -> str:
    """The whole page."""
    drilled = [(NAMES[key], len(tables[key])) for key in NAMES if tables.get(key)]
    counts = ", ".join(f"{n} on {name}" for name, n in drilled)
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
    for key, lines in tables.items():
        if lines:
            section = SECTIONS[key]
            text += ["", f"## {section.title}", ""]
            text += [section.intro, ""] if section.intro else []
            text += [_row(section.columns), _row(("---",) * len(section.columns))]
            text += [_row(cells) for cells in lines.values()]
    return "\n".join(text) + "\n"


def _row(cells: Cells) -> str:
    return f"| {' | '.join(cells)} |"


def write(seen: Mapping[str, Iterable[Cells]], rows: list[str]) -> None:
    """Put what was seen into the page."""
    old = read(TABLE.read_text()) if TABLE.exists() else {}
    new = {key: {cells[0]: _plain(cells) for cells in lines} for key, lines in seen.items()}
    TABLE.write_text(page(merged(old, new, rows)))


def _plain(cells: Cells) -> Cells:
    return tuple(" ".join(cell.replace("|", "/").split()) for cell in cells)
