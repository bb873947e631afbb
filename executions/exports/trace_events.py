"""Trace events, as trace viewers of browsers open them: one lane for each slot in use."""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from executions.exports.plain_text import escaped_json


def text(report: Mapping[str, Any]) -> str:
    """Each task's last attempt as one bar; times in microseconds from the start."""
    found = json.dumps({"traceEvents": list(_events(report["parallel_execution"]))})
    return escaped_json(found) + "\n"


def _events(run: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield {"ph": "M", "pid": 1, "name": "process_name", "args": {"name": run["id"]}}
    begun = sorted(
        (datetime.fromisoformat(result["started_at"]), task_id, result)
        for task_id, result in run["results"].items()
        if result.get("started_at") and result.get("duration_ms") is not None
    )
    free: list[int] = []
    busy: list[tuple[float, int]] = []
    lanes = 0
    for at, task_id, result in begun:
        start_us = (at - begun[0][0]).total_seconds() * 1e6
        while busy and busy[0][0] <= start_us:
            heapq.heappush(free, heapq.heappop(busy)[1])
        if not free:
            lanes += 1
            heapq.heappush(free, lanes)
        lane = heapq.heappop(free)
        took_us = result["duration_ms"] * 1000
        heapq.heappush(busy, (start_us + took_us, lane))
        yield {
            "ph": "X",
            "pid": 1,
            "tid": lane,
            "name": task_id,
            "cat": result["status"],
            "ts": round(start_us),
            "dur": took_us,
            "args": {"status": result["status"], "attempts": result["attempts"]},
        }
