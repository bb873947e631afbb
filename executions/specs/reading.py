"""From text to plain data, within bounds: YAML, JSON, CSV. Knows no field of a spec but CSV's.

What comes out holds only null, booleans, numbers, text, lists and maps with text keys.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal

from executions.specs.faults import Fault, Location, SpecInvalidError, SpecTooLargeError, place_of
from executions.specs.yaml_text import YamlError, yaml_data

SpecFormat = Literal["yaml", "json", "csv"]

SPEC_BYTES: Final = 2 * 1024 * 1024
LARGE_SPEC_BYTES: Final = 64 * 1024 * 1024
DEPTH_LIMIT: Final = 40
CSV_NAME: Final = "tasks"
CSV_TEXTS: Final = ("id", "title", "runner", "team", "task_type")
CSV_NUMBERS: Final = ("priority", "timeout_ms", "max_retries", "duration_s")
CSV_LISTS: Final = ("depends_on", "required_resources")
CSV_COLUMNS: Final = (*CSV_TEXTS, *CSV_NUMBERS, *CSV_LISTS, "payload", "command")
FORMULA: Final = re.compile("'*[=+@\t\r\n＝＋－＠-]")  # noqa: RUF001 (wide ones, too)
"""What a spreadsheet may take for a formula, behind any number of quotes that say it is none."""


@dataclass(frozen=True, slots=True)
class Unfit:
    """A value that no spec may hold: what is to be told, and where the value lies in the data."""

    fault: Fault
    location: Location


def read(text: str | bytes, format: SpecFormat | None, max_bytes: int) -> Any:  # noqa: A002 (a promised name)
    """The data of a text without a fault. Raises SpecInvalidError."""
    data, faults = read_leniently(text, format, max_bytes)
    faults += [unfit.fault for unfit in unfit_values(data)]
    if faults:
        raise SpecInvalidError(faults)
    return data


def read_leniently(
    text: str | bytes,
    format: SpecFormat | None,  # noqa: A002 (a promised name)
    max_bytes: int,
) -> tuple[Any, list[Fault]]:
    """The data, and what is wrong with the text though data could be read from it.

    Raises SpecInvalidError where none could. The data may still hold `unfit_values`.
    """
    text = _decoded(text, max_bytes)
    faults: list[Fault] = []
    readers = {"json": _json_data, "yaml": _yaml_data, "csv": _csv_data}
    return readers[format or _guess(text)](text, faults), faults


def _decoded(text: str | bytes, max_bytes: int) -> str:
    size = len(text) if isinstance(text, bytes) else len(text.encode(errors="replace"))
    if size > max_bytes:
        message = f"has more than the {max_bytes:,} bytes that are taken"
        raise SpecTooLargeError([Fault("", message)])
    if isinstance(text, str):
        return text.removeprefix("\ufeff")
    try:
        return text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _broken(f"is not UTF-8 text (byte {error.start})") from None


def _broken(message: str) -> SpecInvalidError:
    return SpecInvalidError([Fault("", message)])


def _guess(text: str) -> SpecFormat:
    start = text.lstrip()
    if start[:1] in ("{", "["):
        return "json"
    header = {cell.strip().strip('"') for cell in start.partition("\n")[0].split(",")}
    return "csv" if "id" in header and header <= set(CSV_COLUMNS) else "yaml"


def _yaml_data(text: str, faults: list[Fault]) -> Any:
    try:
        data, twice = yaml_data(text, DEPTH_LIMIT)
    except YamlError as error:
        raise _broken(f"is not a YAML spec: {error}") from None
    faults.extend(Fault("", message) for message in twice)
    return data


def _json_data(text: str, faults: list[Fault]) -> Any:
    def map_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            times = Counter(key for key, _ in pairs)
            faults.extend(
                Fault("", f"key '{key}' is given twice") for key, n in times.items() if n > 1
            )
        return found

    try:
        return json.loads(text, object_pairs_hook=map_of)
    except RecursionError:
        raise _broken(f"is nested deeper than {DEPTH_LIMIT}") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise _broken(f"is not JSON: {error.msg} ({where})") from None
    except ValueError as error:
        raise _broken(f"is not JSON: {error}") from None


def unfit_values(data: Any) -> Iterable[Unfit]:
    """What no spec may hold anywhere: depth, NaN, keys that are no text, what is not storable."""
    todo: list[tuple[Location, Any]] = [((), data)]
    while todo:
        at, value = todo.pop()
        if isinstance(value, dict | list):
            if len(at) >= DEPTH_LIMIT:
                yield Unfit(Fault(place_of(at[:4]), f"is nested deeper than {DEPTH_LIMIT}"), at)
                continue
            if isinstance(value, list):
                todo.extend(((*at, i), item) for i, item in enumerate(value))
                continue
            for key, item in value.items():
                if isinstance(key, str) and _is_storable(key):
                    todo.append(((*at, key), item))
                else:
                    fault = Fault(place_of(at), f"key {key!r} is not plain text")
                    yield Unfit(fault, (*at, key))
        elif isinstance(value, float) and not math.isfinite(value):
            yield Unfit(Fault(place_of(at), "must be a finite number"), at)
        elif isinstance(value, str) and not _is_storable(value):
            yield Unfit(Fault(place_of(at), "holds a NUL or half a character"), at)


def _is_storable(text: str) -> bool:
    if text.isascii():
        return "\0" not in text
    return "\0" not in text and not any("\ud800" <= c <= "\udfff" for c in text)


# ---------------------------------------------------------------- CSV


def _csv_data(text: str, faults: list[Fault]) -> Any:
    """A plain list of tasks. Lists part at `;`; a need reads `db`, `db!` (alone) or `db:2`."""
    try:
        reader = csv.DictReader(io.StringIO(text), strict=True)
        rows = list(reader)
    except csv.Error as error:
        raise _broken(f"is not CSV: {error}") from None
    columns = Counter(reader.fieldnames or ())
    faults += [Fault("", f"unknown column '{c}'") for c in columns if c not in CSV_COLUMNS]
    faults += [Fault("", f"column '{c}' is given twice") for c, n in columns.items() if n > 1]
    faults += [
        Fault(f"tasks[{i}]", "has more cells than there are columns")
        for i, row in enumerate(rows)
        if None in row
    ]
    tasks = [_csv_task(row, f"tasks[{i}]", faults) for i, row in enumerate(rows)]
    return {"name": CSV_NAME, "tasks": tasks}


def _csv_task(row: dict[str, str | None], place: str, faults: list[Fault]) -> dict[str, Any]:
    cells = {k: v.strip() for k, v in row.items() if k in CSV_COLUMNS and v and v.strip()}
    task: dict[str, Any] = {n: _unguarded(cells[n]) for n in CSV_TEXTS if n in cells}
    for name in CSV_NUMBERS:
        if name in cells:
            task[name] = _csv_number(cells[name])
    lists = {
        n: [c.strip() for c in cells[n].split(";") if c.strip()] for n in CSV_LISTS & cells.keys()
    }
    if "depends_on" in lists:
        task["depends_on"] = lists["depends_on"]
    if "required_resources" in lists:
        task["required_resources"] = [_csv_need(cell) for cell in lists["required_resources"]]
    if "payload" in cells:
        try:
            task["payload"] = json.loads(cells["payload"])
        except (ValueError, RecursionError):
            faults.append(Fault(f"{place}.payload", "is not JSON"))
    if "command" in cells:
        task["payload"] = {**(task.get("payload") or {}), "command": cells["command"]}
        task.setdefault("runner", "shell")
    return task


def guarded(cell: str) -> str:
    """The cell behind a quote where a spreadsheet would take it for a formula."""
    return f"'{cell}" if FORMULA.match(cell) else cell


def _unguarded(cell: str) -> str:
    return cell[1:] if cell[:1] == "'" and FORMULA.match(cell) else cell


def _csv_number(text: str) -> Any:
    """The number, or the text itself for the shape to refuse."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _csv_need(text: str) -> dict[str, Any]:
    if text.endswith("!"):
        return {"id": text[:-1], "exclusive": True}
    name, colon, amount = text.partition(":")
    return {"id": name, "amount": _csv_number(amount)} if colon else {"id": name}
