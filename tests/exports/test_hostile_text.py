"""Exports of other people's text: no formula, no markup, no broken file."""

import csv
import io
import json
import re
import unicodedata as ud
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executions.exports import EXPORTS, UnknownFormatError, export
from executions.exports.csv_rows import FORMULA_STARTS

hostile = st.one_of(
    st.text(max_size=30),
    st.sampled_from(["=1+1", "+A1", "-2", "@x", "\tx", "\rx", "<script>x</script>", "]]>", "\0"]),
    st.sampled_from(
        ["\x1b[31m", "\x9b31m", "\u202egnp.exe", "\u2066x", "a\u2028b", "\uff1d1", "\ud800"]
    ),
)
TURNS = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")


def is_driving(c: str) -> bool:
    """Whether a terminal obeys it, or text around it turns; as Unicode has it."""
    if c in "\t\r\n":
        return False
    return ud.category(c) in ("Cc", "Cs", "Zl", "Zp") or ud.bidirectional(c) in TURNS


def report(text: str) -> dict:
    result = {
        "status": "failed",
        "started_at": "2024-01-15T11:00:00Z",
        "failed_at": "2024-01-15T11:00:01Z",
        "duration_ms": 1000,
        "attempts": 1,
        "error": text,
        "reason": "error",
    }
    attempt = {"number": 1, "error": text, "output_tail": text}
    return {
        "parallel_execution": {
            "id": "PEXEC-1",
            "name": text,
            "status": "completed",
            "error": text,
            "tasks": {"total": 2, "completed": 1, "failed": 1, "skipped": 0, "cancelled": 0},
            "results": {
                "A": result,
                "B": {"status": "completed", "attempts": 1, "duration_ms": 5, "result": text},
            },
            "timing": {
                "started_at": "2024-01-15T11:00:00Z",
                "total_duration_ms": 1000,
                "sequential_estimate_ms": 1005,
                "speedup_factor": 1.0,
                "lower_bound_ms": 1000,
                "efficiency": 1.0,
            },
            "resources": {"peak_concurrency": 2, "avg_concurrency": 1.0, "binding_limits": []},
            "failure_report": [
                {
                    "task_id": "A",
                    "error": text,
                    "attempts": [attempt],
                    "skipped_because_of_it": [],
                }
            ],
        }
    }


@given(hostile)
def test_no_cell_is_a_formula(text):
    rows = list(csv.reader(io.StringIO(export(report(text), "csv"), newline="")))
    assert len(rows) == 3
    assert not any(cell.startswith(FORMULA_STARTS) for row in rows for cell in row)


@given(hostile)
def test_junit_is_always_xml_with_every_case(text):
    cases = ET.fromstring(export(report(text), "junit")).findall(".//testcase")
    assert [case.get("name") for case in cases] == ["A", "B"]
    assert cases[0].find("failure") is not None


@given(hostile)
def test_pages_and_markdown_hold_no_markup_of_others(text):
    assert "<script" not in export(report(text), "html")
    lines = export(report(text), "markdown").splitlines()
    shown = [line for line in lines if not line.startswith("    ")]  # the rest is code
    assert not any(re.search(r"(?<!\\)<", line) for line in shown)


@given(hostile)
@pytest.mark.parametrize("form", EXPORTS)
def test_a_terminal_is_not_driven(form, text):
    assert [c for c in export(report(text), form) if is_driving(c)] == []


@given(hostile)
def test_json_says_what_was_said(text):
    assert json.loads(export(report(text), "json")) == report(text)


def test_every_format_is_made_and_others_are_refused():
    for name in EXPORTS:
        assert export(report("x"), name)
    with pytest.raises(UnknownFormatError, match="no format 'pdf'; there are json, csv"):
        export(report("x"), "pdf")
