"""The task group editor: form fields to a spec's data and back. Judges nothing; specs do.

What cannot be read stays as it was typed, so that the spec's own check names its place.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final

from executions.specs import Fault, TaskGroupSpec

GROUP_TEXTS: Final = ("name", "description", "failure_strategy", "on_critical_failure")
GROUP_NUMBERS: Final = ("max_concurrency", "max_retries", "timeout_ms", "run_timeout_ms")
GROUP_SWITCHES: Final = ("critical_first", "planning")
TASK_TEXTS: Final = ("id", "title", "runner", "team", "task_type")
TASK_NUMBERS: Final = ("priority", "duration_s", "timeout_ms", "max_retries")
TASK_FIELDS: Final = (*TASK_TEXTS, *TASK_NUMBERS, "payload", "depends_on", "required_resources")
ROW_LIMIT: Final = 2000

Values = dict[str, str]


def _number(text: str) -> Any:
    try:
        return int(text)
    except ValueError:
        try:
            return float(text)
        except ValueError:
            return text


def _words(text: str) -> list[str]:
    return [word for word in re.split(r"[\s,;]+", text) if word]


def _need(text: str) -> dict[str, Any]:
    """`staging-db!` alone, `licence:2` units, `licence` one unit."""
    if text.endswith("!"):
        return {"id": text[:-1], "exclusive": True}
    name, colon, amount = text.partition(":")
    return {"id": name, "amount": _number(amount)} if colon else {"id": text}


def payload_of(runner: str, text: str) -> Any:
    """JSON, or the short form: a command for `shell`, seconds for `sleep`, instructions."""
    if not text:
        return {}
    if text.lstrip().startswith("{"):
        try:
            return json.loads(text)
        except ValueError:
            return text
    short = {"shell": "command", "sleep": "seconds", "external": "instructions", "http": "url"}
    if runner not in short:
        return text
    return {short[runner]: _number(text) if runner == "sleep" else text}


def payload_text(runner: str, payload: Mapping[str, Any]) -> str:
    """The short form where nothing is lost by it."""
    if not payload:
        return ""
    names = {"shell": "command", "sleep": "seconds", "external": "instructions"}
    name = names.get(runner)
    if name and set(payload) == {name} and isinstance(payload[name], (str, int, float)):
        text = str(payload[name])
        if payload_of(runner, text) == payload:
            return text
    return json.dumps(payload, ensure_ascii=False, indent=2)


def rows_typed(post: Mapping[str, str]) -> list[Values]:
    """The task rows of a form as typed, in order; rows without any entry are left out."""
    found: defaultdict[int, Values] = defaultdict(dict)
    for name, value in post.items():
        match = re.fullmatch(r"tasks-(\d{1,5})-([a-z_]+)", name)
        if match and match[2] in TASK_FIELDS:
            found[int(match[1])][match[2]] = value.strip()
    rows = (found[index] for index in sorted(found)[:ROW_LIMIT])
    return [row for row in rows if any(row.get(f) for f in ("id", "title", "payload"))]


def task_data(row: Values) -> dict[str, Any]:
    """One row as a spec's data; empty fields are not given."""
    data: dict[str, Any] = {f: row[f] for f in TASK_TEXTS if row.get(f)}
    data.update({f: _number(row[f]) for f in TASK_NUMBERS if row.get(f)})
    if row.get("payload"):
        data["payload"] = payload_of(row.get("runner", ""), row["payload"])
    if row.get("depends_on"):
        data["depends_on"] = _words(row["depends_on"])
    if row.get("required_resources"):
        data["required_resources"] = [_need(w) for w in _words(row["required_resources"])]
    return data


def group_data(post: Mapping[str, str]) -> dict[str, Any]:
    """The whole form as a spec's data."""
    data: dict[str, Any] = {f: post[f].strip() for f in GROUP_TEXTS if post.get(f, "").strip()}
    data.update({f: _number(post[f].strip()) for f in GROUP_NUMBERS if post.get(f, "").strip()})
    data.update({f: f in post for f in GROUP_SWITCHES})
    limits: defaultdict[str, dict[str, Any]] = defaultdict(dict)
    for entry in _words(post.get("limits", "")):
        kind, _, rest = entry.partition(".")
        name, _, number = rest.partition("=")
        limits[kind][name] = _number(number)
    if limits:
        data["limits"] = dict(limits)
    data["tasks"] = [task_data(row) for row in rows_typed(post)]
    return data


def group_values(spec: TaskGroupSpec) -> Values:
    """A spec's configuration as the form shows it."""
    names = (*GROUP_TEXTS, *GROUP_NUMBERS)
    values = {f: "" if getattr(spec, f) is None else str(getattr(spec, f)) for f in names}
    values.update({f: "on" for f in GROUP_SWITCHES if getattr(spec, f)})
    values["limits"] = " ".join(
        f"{kind}.{name}={number}"
        for kind, by_name in spec.limits.model_dump().items()
        for name, number in by_name.items()
    )
    return values


def rows_of(spec: TaskGroupSpec) -> list[Values]:
    """A spec's tasks as rows of the form."""
    rows = []
    for task in spec.tasks:
        names = (*TASK_TEXTS, *TASK_NUMBERS)
        row = {f: "" if getattr(task, f) is None else str(getattr(task, f)) for f in names}
        row["payload"] = payload_text(task.runner, task.payload)
        row["depends_on"] = ", ".join(task.depends_on)
        row["required_resources"] = ", ".join(
            f"{n.id}!" if n.exclusive else n.id if n.amount == 1 else f"{n.id}:{n.amount}"
            for n in task.required_resources
        )
        rows.append(row)
    return rows


def rows_shown(rows: Iterable[Values], faults: Iterable[Fault]) -> list[dict[str, Any]]:
    """Rows with the faults that belong to each of their fields."""
    wrong: defaultdict[int, defaultdict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for fault in faults:
        match = re.match(r"tasks\[(\d+)\](?:\.([a-z_]+))?", fault.place)
        if match:
            wrong[int(match[1])][match[2] or "id"].append(fault.message)
    return [
        {"index": index, "values": row, "errors": dict(wrong[index])}
        for index, row in enumerate(rows)
    ]
