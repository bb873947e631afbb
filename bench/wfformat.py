"""Reads WfFormat (1.3 and 1.5) traces of scientific workflows, plain or gzipped."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

from executions.scheduling.model import Group, Task

TRAILING_NUMBER = re.compile(r"[_-]?(ID)?\d+$")


def read_wfformat(path: Path, *, max_concurrency: int) -> Group:
    """The trace as a group: durations as measured, types from names or programs."""
    data = path.read_bytes()
    if path.suffix == ".gz":
        data = gzip.decompress(data)
    workflow = json.loads(data)["workflow"]
    rows = _rows(workflow)
    kinds = _types(rows)
    ids = {name: row["key"] for row in rows for name in (row["key"], row["name"])}
    tasks = tuple(
        Task(
            row["key"],
            task_type=kind,
            duration_s=float(row["runtime"]),
            depends_on=tuple(dict.fromkeys(ids[parent] for parent in row["parents"])),
        )
        for row, kind in zip(rows, kinds, strict=True)
    )
    return Group(path.name.split(".")[0], tasks, max_concurrency=max_concurrency)


def _rows(workflow: dict[str, Any]) -> list[dict[str, Any]]:
    if "specification" not in workflow:  # 1.3 keeps all in one list
        return [_row(task, task) for task in workflow["tasks"]]
    ran = {task["id"]: task for task in workflow["execution"]["tasks"]}
    return [_row(task, ran[task["id"]]) for task in workflow["specification"]["tasks"]]


def _row(asked: dict[str, Any], ran: dict[str, Any]) -> dict[str, Any]:
    command = ran.get("command") or {}
    return {
        "key": asked.get("id") or asked["name"],
        "name": asked["name"],
        "parents": asked.get("parents", []),
        "runtime": ran.get("runtimeInSeconds", ran.get("runtime", 0.0)),
        "program": (command.get("program") or "") if isinstance(command, dict) else "",
    }


def _types(rows: list[dict[str, Any]]) -> list[str]:
    """The name without its number; the program where names are all different."""
    kinds = [TRAILING_NUMBER.sub("", row["name"]) or row["name"] for row in rows]
    if len(Counter(kinds)) == len(rows):
        return [Path(row["program"]).name or "task" for row in rows]
    return kinds
