"""The report as Markdown for a ticket or a chat."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from executions.exports.plain_text import plain, plain_line

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#+!|~&-])")


def escaped(value: Any) -> str:
    """Text that Markdown shows as it is, on one line."""
    return _SPECIAL.sub(r"\\\1", plain_line(" ".join(str(value or "").split())))


def text(report: Mapping[str, Any]) -> str:
    """Headline, figures, failures with their output, a table of all tasks."""
    return "\n".join(_lines(report["parallel_execution"])) + "\n"


def headline(run: Mapping[str, Any]) -> str:
    """How it went in a few words: never a bare 'completed' where something failed."""
    failed = run["tasks"]["failed"]
    if run["status"] == "completed" and failed:
        return f"Completed with {failed} failure{'' if failed == 1 else 's'}"
    return str(run["status"]).capitalize()


def seconds(value_ms: int | None) -> str:
    """Milliseconds as people read them."""
    return "" if value_ms is None else f"{value_ms / 1000:,.1f} s"


def _lines(run: Mapping[str, Any]) -> Iterator[str]:
    tasks, timing, resources = run["tasks"], run["timing"], run["resources"]
    yield f"# {escaped(run['name'])} {escaped(run['id'])}: {headline(run)}"
    yield ""
    if run.get("error"):
        yield f"{escaped(run['error'])}\n"
    yield (
        f"{tasks['total']} tasks: {tasks['completed']} completed, {tasks['failed']} failed, "
        f"{tasks['skipped']} skipped, {tasks['cancelled']} cancelled."
    )
    yield ""
    yield "| figure | value |"
    yield "|---|---|"
    yield f"| total duration | {seconds(timing['total_duration_ms'])} |"
    yield f"| sequential estimate | {seconds(timing['sequential_estimate_ms'])} |"
    yield f"| speed-up | {timing['speedup_factor']} |"
    yield f"| lower bound | {seconds(timing['lower_bound_ms'])} |"
    yield f"| efficiency | {timing['efficiency']} |"
    yield f"| peak concurrency | {resources['peak_concurrency']} |"
    yield f"| average concurrency | {resources['avg_concurrency']} |"
    yield from _failures(run["failure_report"])
    yield from _tasks(run["results"])


def _failures(failures: list[Mapping[str, Any]]) -> Iterator[str]:
    if not failures:
        return
    yield "\n## Failures"
    for entry in failures:
        yield f"\n### {escaped(entry['task_id'])}: {escaped(entry['error'])}"
        if entry["skipped_because_of_it"]:
            yield "\nSkipped because of it: " + escaped(", ".join(entry["skipped_because_of_it"]))
        tail = entry["attempts"][-1]["output_tail"] if entry["attempts"] else ""
        if tail.strip():
            yield ""
            yield from (f"    {line}" for line in plain(tail).splitlines()[-20:])


def _tasks(results: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    yield "\n## Tasks\n"
    yield "| task | status | duration | attempts |"
    yield "|---|---|---|---|"
    for task_id, result in results.items():
        took = seconds(result.get("duration_ms"))
        yield f"| {escaped(task_id)} | {result['status']} | {took} | {result['attempts']} |"
