"""The report in a few plain lines, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from executions.exports.markdown_text import headline, seconds
from executions.exports.plain_text import plain_line


def text(report: Mapping[str, Any]) -> str:
    """Headline, counts, figures, and each failure with what it took along."""
    return "\n".join(plain_line(line) for line in _lines(report["parallel_execution"])) + "\n"


def _lines(run: Mapping[str, Any]) -> Iterator[str]:
    tasks, timing, resources = run["tasks"], run["timing"], run["resources"]
    yield f"{run['id']} {run['name']}: {headline(run)}"
    if run["error"]:
        yield f"  {run['error']}"
    yield (
        f"  {tasks['total']} tasks: {tasks['completed']} completed, {tasks['failed']} failed, "
        f"{tasks['skipped']} skipped, {tasks['cancelled']} cancelled"
    )
    yield (
        f"  took {seconds(timing['total_duration_ms'])} for "
        f"{seconds(timing['sequential_estimate_ms'])} of work: "
        f"{timing['speedup_factor']} times as fast as one after another"
    )
    yield (
        f"  lower bound {seconds(timing['lower_bound_ms'])}, peak {resources['peak_concurrency']} "
        f"at once, {resources['avg_concurrency']} on average"
    )
    for limit in resources["binding_limits"][:3]:
        yield f"  waited {limit['waited_s']:.1f} s for {limit['limit']}"
    for failure in run["failure_report"]:
        took_along = ", ".join(failure["skipped_because_of_it"])
        yield f"  failed: {failure['task_id']}: {failure['error']}"
        if took_along:
            yield f"    skipped because of it: {took_along}"
