"""The report as one page that needs nothing else: no script, no other file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from executions.exports.markdown_text import headline, seconds
from executions.exports.plain_text import plain

STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.25rem .75rem;"
    "border-bottom:1px solid #ddd}pre{background:#f4f4f4;padding:.75rem;overflow:auto}"
)


def _shown(value: Any) -> str:
    return escape(plain(value))


def text(report: Mapping[str, Any]) -> str:
    """Headline, figures, failures with their output, a table of all tasks."""
    run = report["parallel_execution"]
    title = _shown(f"{run['name']} {run['id']}: {headline(run)}")
    body = "\n".join((*_figures(run), *_failures(run["failure_report"]), *_tasks(run["results"])))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{STYLE}</style></head>\n<body><h1>{title}</h1>\n{body}\n</body></html>\n"
    )


def _row(*cells: Any) -> str:
    return "<tr>" + "".join(f"<td>{_shown(cell)}</td>" for cell in cells) + "</tr>"


def _figures(run: Mapping[str, Any]) -> Iterator[str]:
    tasks, timing, resources = run["tasks"], run["timing"], run["resources"]
    if run.get("error"):
        yield f"<p>{_shown(run['error'])}</p>"
    yield "<table>"
    for name in ("total", "completed", "failed", "skipped", "cancelled"):
        yield _row(f"tasks {name}", tasks[name])
    yield _row("started", timing["started_at"] or "")
    yield _row("total duration", seconds(timing["total_duration_ms"]))
    yield _row("sequential estimate", seconds(timing["sequential_estimate_ms"]))
    yield _row("speed-up", timing["speedup_factor"])
    yield _row("lower bound", seconds(timing["lower_bound_ms"]))
    yield _row("efficiency", timing["efficiency"])
    yield _row("peak concurrency", resources["peak_concurrency"])
    yield _row("average concurrency", resources["avg_concurrency"])
    yield "</table>"


def _failures(failures: list[Mapping[str, Any]]) -> Iterator[str]:
    if failures:
        yield "<h2>Failures</h2>"
    for entry in failures:
        yield f"<h3>{_shown(entry['task_id'])}: {_shown(entry['error'])}</h3>"
        if entry["skipped_because_of_it"]:
            names = _shown(", ".join(entry["skipped_because_of_it"]))
            yield f"<p>Skipped because of it: {names}</p>"
        for attempt in entry["attempts"]:
            yield f"<p>Attempt {attempt['number']}: {_shown(attempt['error'])}</p>"
            if attempt["output_tail"].strip():
                yield f"<pre>{_shown(attempt['output_tail'])}</pre>"


def _tasks(results: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    yield "<h2>Tasks</h2><table>"
    yield "<tr><th>task</th><th>status</th><th>duration</th><th>attempts</th></tr>"
    for task_id, result in results.items():
        took = seconds(result.get("duration_ms"))
        yield _row(task_id, result["status"], took, result["attempts"])
    yield "</table>"
