"""What a measurement gives, and how it is printed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent


class Missing(Exception):  # noqa: N818 named for what is
    """Something needed for a measurement is not there; says what and how to get it."""


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. `must` and `aim` are the most it may be (or the least, with `more_is_better`)."""

    what: str
    value: float
    unit: str = ""
    must: float | None = None
    aim: float | None = None
    more_is_better: bool = False

    @property
    def verdict(self) -> str:
        """`aim`, `must`, `MISSED`, or nothing where nothing is asked."""
        if self.must is None:
            return ""
        sign = -1 if self.more_is_better else 1
        if self.aim is not None and sign * self.value <= sign * self.aim:
            return "aim"
        return "must" if sign * self.value <= sign * self.must else "MISSED"


@dataclass(frozen=True, slots=True)
class Subject:
    """All figures of one measurement, and the raw rounds they come from."""

    rows: Sequence[Row]
    raw: dict[str, object] = field(default_factory=dict)

    @property
    def must_reached(self) -> bool:
        """Whether nothing that must be reached was missed."""
        return all(row.verdict != "MISSED" for row in self.rows)

    def as_json(self) -> dict[str, object]:
        """For var/bench.json."""
        rows = [{**asdict(row), "verdict": row.verdict} for row in self.rows]
        return {"rows": rows, "raw": self.raw}


def print_subject(name: str, subject: Subject, seconds: float) -> None:
    print(f"\n{name} ({seconds:.0f} s)")
    width = max(len(row.what) for row in subject.rows)
    for row in subject.rows:
        asked = ""
        if row.must is not None:
            aim = "" if row.aim is None else f", aim {row.aim:g}"
            asked = f"must {row.must:g}{aim}: {row.verdict}"
        print(f"  {row.what:<{width}}  {row.value:>10.3f} {row.unit:<4} {asked}".rstrip())


def data_folder(name: str) -> Path:
    """A folder of real inputs: below `PEXEC_DATA`, else ../shared/data beside the repository."""
    given = os.environ.get("PEXEC_DATA")
    path = (Path(given) if given else REPOSITORY.parent / "shared" / "data") / name
    if not path.is_dir():
        raise Missing(f"no {path}: set PEXEC_DATA to the folder that holds {name}/")
    return path
