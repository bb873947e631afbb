"""JUnit XML, as build servers read it: one suite, one case a task."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree as ET

from executions.exports.plain_text import GONE, plain

_NOT_XML = re.compile("[\ufffe\uffff]")


def _clean(value: Any) -> str:
    """Text without what drives a terminal, nor the characters XML has no way to write."""
    return _NOT_XML.sub(GONE, plain(value or ""))


def text(report: Mapping[str, Any]) -> str:
    """Failed tasks are failures, skipped and cancelled ones skipped."""
    run = report["parallel_execution"]
    tasks, timing = run["tasks"], run["timing"]
    suite = ET.Element(
        "testsuite",
        name=_clean(run["name"]),
        id=run["id"],
        tests=str(tasks["total"]),
        failures=str(tasks["failed"]),
        errors="0",
        skipped=str(tasks["skipped"] + tasks["cancelled"]),
        time=_seconds(timing["total_duration_ms"]),
        timestamp=str(timing["started_at"] or ""),
    )
    failures = {entry["task_id"]: entry for entry in run["failure_report"]}
    for task_id, result in run["results"].items():
        case = ET.SubElement(
            suite,
            "testcase",
            classname=_clean(run["name"]),
            name=_clean(task_id),
            time=_seconds(result.get("duration_ms") or 0),
        )
        _add_end(case, result, failures.get(task_id))
    suites = ET.Element("testsuites")
    suites.append(suite)
    ET.indent(suites)
    return ET.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def _seconds(value_ms: int) -> str:
    return f"{value_ms / 1000:.3f}"


def _add_end(
    case: ET.Element, result: Mapping[str, Any], failure: Mapping[str, Any] | None
) -> None:
    if result["status"] == "failed":
        found = ET.SubElement(
            case, "failure", type=_clean(result.get("reason")), message=_clean(result.get("error"))
        )
        if failure and failure["attempts"]:
            found.text = _clean(failure["attempts"][-1]["output_tail"])
    elif result["status"] != "completed":
        cause = result.get("skipped_because_of")
        message = f"because of {cause}" if cause else result["status"]
        ET.SubElement(case, "skipped", message=_clean(message))
