"""A report as text of one format each: pure functions from the published shape.

A new format is one file with `text(report)` and one row here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from executions.exports import (
    csv_rows,
    html_page,
    json_text,
    junit_xml,
    markdown_text,
    summary_text,
    trace_events,
)

Report = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Export:
    """One format of a report."""

    text: Callable[[Report], str]
    media_type: str
    extension: str


EXPORTS: Final[Mapping[str, Export]] = MappingProxyType(
    {
        "json": Export(json_text.text, "application/json", "json"),
        "csv": Export(csv_rows.text, "text/csv", "csv"),
        "junit": Export(junit_xml.text, "application/xml", "xml"),
        "markdown": Export(markdown_text.text, "text/markdown", "md"),
        "text": Export(summary_text.text, "text/plain", "txt"),
        "html": Export(html_page.text, "text/html", "html"),
        "trace": Export(trace_events.text, "application/json", "trace.json"),
    }
)


class UnknownFormatError(Exception):
    """There is no such format; take one of those named."""

    def __init__(self, name: str) -> None:
        """`name` as it was asked for."""
        super().__init__(f"no format '{name}'; there are {', '.join(EXPORTS)}")


def export(report: Report, name: str) -> str:
    """The report in the named format. Raises UnknownFormatError."""
    if name not in EXPORTS:
        raise UnknownFormatError(name)
    return EXPORTS[name].text(report)
