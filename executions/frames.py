"""What live pages are told: snapshots, deltas, live output. Pure functions; values are JSON.

Frames of one execution are numbered. A snapshot read at number S already holds every change up to
S, so a client applies a delta numbered S again (values are absolute, never increments), then S+1,
drops what is below, and asks for a snapshot where one is missing. Times are epoch seconds.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, Final

Frame = dict[str, Any]

TEXT_LIMIT: Final = 2000
"""Characters of one text (an error, a line of progress) that travel in a frame."""

VERSION: Final = 2
"""Of the snapshots; another one is told where an older reader would misread them."""

FEW: Final = 256
"""A column with at most so many different values names each once."""

PART_CHARS: Final = 200_000
"""Longer frames travel in parts: the server's WebSocket messages end at 1 MiB."""

MOMENTS: Final = frozenset({"since", "started_at", "finished_at", "not_before"}) | frozenset(
    {"held_from", "held_to"}
)
"""Columns of moments: in a snapshot whole milliseconds after `base`."""

STATIC_COLUMNS: Final = (
    "id",
    "title",
    "runner",
    "priority",
    "team",
    "task_type",
    "resources",
    "depends_on",
    "duration_s",
    "demand",
    "level",
)
"""What never changes of a task; `depends_on` as positions, `resources` as [id, amount or 0]."""

LIVE_COLUMNS: Final = (
    "state",
    "since",
    "attempts",
    "started_at",
    "finished_at",
    "reason",
    "error",
    "skipped_because_of",
    "not_before",
    "progress",
    "progress_line",
    "worker",
    "waits",
    "held_from",
    "held_to",
)
"""What a delta may change of a task; `waits` are seconds waited by LimitKey or Hold.

`held_from` and `held_to`: when its last attempt took its slot and gave it back, null if it has it.
"""

EXECUTION_FIELDS: Final = (
    *("state", "outcome", "error", "started_at", "completed_at", "counts"),
    *("alone", "waited", "summed_at"),
)
"""What a delta may change of the execution."""


def clip(value: Any) -> Any:
    """Texts cut to what travels; everything else as it is."""
    if isinstance(value, str) and len(value) > TEXT_LIMIT:
        return value[: TEXT_LIMIT - 1] + "…"
    return value


def _clipped(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: clip(value) for name, value in fields.items()}


def delta(
    *,
    seq: int,
    now: float,
    execution: Mapping[str, Any],
    tasks: Mapping[int, Mapping[str, Any]],
    demands: Mapping[int, Mapping[str, Any]],
) -> Frame:
    """What one commit changed: fields by name, tasks by position, demands by number.

    Only what changed is given, each with its new value (see EXECUTION_FIELDS, LIVE_COLUMNS;
    demands: keys, queued, since, reserved_for).
    """
    return {
        "type": "delta",
        "seq": seq,
        "now": now,
        "execution": _clipped(execution),
        "tasks": {str(position): _clipped(fields) for position, fields in tasks.items()},
        "demands": {str(number): dict(fields) for number, fields in demands.items()},
    }


def snapshot(
    *,
    seq: int,
    now: float,
    base: int,
    execution: Mapping[str, Any],
    count: int,
    tasks: Mapping[str, Any],
    demands: Mapping[int, Mapping[str, Any]],
    attempts: Iterable[Sequence[Any]],
    limits: Mapping[str, Sequence[Any]],
) -> Frame:
    """All of an execution; `tasks` by column (STATIC_COLUMNS, LIVE_COLUMNS), each as `packed`.

    `base` is the epoch second that moments of tasks count from. `attempts` are (position, number,
    started_at, finished_at, state, held_from, held_to) of those that were not the last of their
    task; `limits` are (used, maximum) by LimitKey.
    """
    return {
        "type": "snapshot",
        "version": VERSION,
        "seq": seq,
        "now": now,
        "execution": _clipped(execution),
        "base": base,
        "count": count,
        "tasks": dict(tasks),
        "demands": {str(number): dict(fields) for number, fields in demands.items()},
        "attempts": [list(row) for row in attempts],
        "limits": {key: list(values) for key, values in limits.items()},
    }


def packed(values: Sequence[Hashable]) -> Any:
    """A column as it travels: `{"same": v}`, `{"of": [v…], "at": [index…]}`, or the values."""
    different = dict.fromkeys(values)
    if len(different) == 1:
        return {"same": clip(values[0])}
    if len(different) <= FEW and 2 * len(different) <= len(values):
        number = {value: index for index, value in enumerate(different)}
        return {"of": [clip(value) for value in different], "at": [number[v] for v in values]}
    return [clip(value) for value in values]


def packed_waits(waits: Iterable[Mapping[str, float]]) -> Any:
    """Seconds waited by key: `{"keys": [key…], "ms": [[index, ms, index, ms…]…]}`."""
    number: dict[str, int] = {}
    rows = [
        [
            part
            for key, waited_s in row.items()
            for part in (number.setdefault(key, len(number)), round(1000 * waited_s))
        ]
        for row in waits
    ]
    return {"keys": list(number), "ms": rows}


def tasks_of(snapshot: Frame) -> list[dict[str, Any]]:
    """The tasks that a snapshot tells, each by field: what a program that watches starts from."""
    columns = {
        name: list(_unpacked(name, column, snapshot)) for name, column in snapshot["tasks"].items()
    }
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _unpacked(name: str, column: Any, snapshot: Frame) -> Iterable[Any]:
    if name == "waits":
        for row in column["ms"]:
            yield {
                column["keys"][index]: ms / 1000
                for index, ms in zip(row[::2], row[1::2], strict=True)
            }
        return
    values = column
    if isinstance(column, dict):
        values = (
            [column["same"]] * snapshot["count"]
            if "same" in column
            else [column["of"][index] for index in column["at"]]
        )
    for value in values:
        is_moment = name in MOMENTS and value is not None
        yield snapshot["base"] + value / 1000 if is_moment else value


def dashboard_delta(
    *,
    seq: int,
    now: float,
    executions: Mapping[int, Mapping[str, Any]],
    limits: Mapping[str, Sequence[int]],
) -> Frame:
    """What one commit changed for the dashboard.

    `executions` by key: id, name, state, outcome, counts, total, started_at, completed_at; `limits`
    by LimitKey: used, maximum, waiting. `seq` is the sender's own count and may start anywhere: a
    client takes the first it sees, and asks for a snapshot where the next is not one more.
    """
    return {
        "type": "delta",
        "seq": seq,
        "now": now,
        "executions": {str(key): _clipped(fields) for key, fields in executions.items()},
        "limits": {key: list(values) for key, values in limits.items()},
    }


def dashboard_snapshot(
    *,
    now: float,
    executions: Mapping[int, Mapping[str, Any]],
    limits: Mapping[str, Sequence[int]],
    figures: Mapping[str, int],
) -> Frame:
    """The whole dashboard; its next delta may have any number."""
    return {
        "type": "snapshot",
        "seq": None,
        "now": now,
        "executions": {str(key): _clipped(fields) for key, fields in executions.items()},
        "limits": {key: list(values) for key, values in limits.items()},
        "figures": dict(figures),
    }


MERGED: Final = ("execution", "limits")
MERGED_BY_KEY: Final = ("tasks", "demands", "executions")


def merged(deltas: Iterable[Frame]) -> list[Frame]:
    """The same news in as few deltas as may be, in order; those given stay as they are.

    One that holds several is numbered as its last; `first` and `first_now` are number and time of
    its first. The end of an attempt is told before what its task does next: a reader keeps it.
    """
    found: list[Frame] = []
    for delta in deltas:
        if found and _may_follow(found[-1], delta):
            _add(found[-1], delta)
        else:
            found.append(
                delta
                | {name: dict(delta[name]) for name in MERGED if name in delta}
                | {
                    name: {key: dict(fields) for key, fields in delta[name].items()}
                    for name in MERGED_BY_KEY
                    if name in delta
                }
            )
    return found


def _may_follow(known: Frame, delta: Frame) -> bool:
    tasks = known.get("tasks", {})
    both = [(tasks[key], fields) for key, fields in delta.get("tasks", {}).items() if key in tasks]
    return delta["seq"] == known["seq"] + 1 and not any(
        _gave_back(before) or _gave_back(before | after) != _gave_back(after)
        for before, after in both
    )


def _gave_back(fields: Mapping[str, Any]) -> bool:
    """Whether an attempt ended that another one may follow."""
    return fields.get("state") == "retrying" or (
        fields.get("state") == "queued" and fields.get("held_to") is not None
    )


def _add(known: Frame, delta: Frame) -> None:
    known.setdefault("first", known["seq"])
    known.setdefault("first_now", known["now"])
    known.update(seq=delta["seq"], now=delta["now"])
    for name in MERGED:
        if name in delta:
            known[name].update(delta[name])
    for name in MERGED_BY_KEY:
        for key, fields in delta.get(name, {}).items():
            known[name].setdefault(key, {}).update(fields)


def output(*, attempt: int, offset: int, text: str) -> Frame:
    """A piece of what an attempt printed, beginning at byte `offset`."""
    return {"type": "output", "attempt": attempt, "offset": offset, "text": text}


def forecast(ends_at: Mapping[int, float | None]) -> Frame:
    """When executions will end, by key, as reckoned from here; None: nobody can tell yet."""
    return {"type": "forecast", "ends_at": {str(key): moment for key, moment in ends_at.items()}}


def closed(reason: str) -> Frame:
    """A refusal a page shows in words."""
    return {"type": "closed", "reason": reason}


def encoded(frame: Frame) -> str:
    """The frame as it goes over the wire."""
    return json.dumps(frame, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def parts(text: str) -> list[str]:
    """An encoded frame as messages: itself, or `part` frames whose texts joined are the frame."""
    if len(text) <= PART_CHARS:
        return [text]
    pieces = [text[at : at + PART_CHARS] for at in range(0, len(text), PART_CHARS)]
    last = len(pieces) - 1
    return [
        encoded({"type": "part", "last": number == last, "text": piece})
        for number, piece in enumerate(pieces)
    ]
