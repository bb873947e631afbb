"""What processes log: lines for people or for machines, and never what should stay unsaid."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SAY = """
import django, logging, structlog
django.setup()
structlog.get_logger("executions.some").info("took the lead", term=7)
logging.getLogger("executions.other").warning("no %s", "news")
from django.test import Client
Client().post("/api/v1/work/HIDDEN-TOKEN/complete/", HTTP_HOST="localhost")
"""


def said(tmp_path, **environment):
    done = subprocess.run(
        [sys.executable, "-c", SAY],
        cwd=ROOT,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "pexec_site.settings",
            "PEXEC_VAR": str(tmp_path),
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == ""
    return done


def test_lines_for_machines_are_json_and_name_the_request(tmp_path):
    lines = [json.loads(line) for line in said(tmp_path, PEXEC_LOG="json").stderr.splitlines()]
    ours, library, request = lines
    assert (ours["event"], ours["term"], ours["level"]) == ("took the lead", 7, "info")
    assert (library["event"], library["logger"]) == ("no news", "executions.other")
    assert (request["code"], request["request"]) == (401, "POST /api/v1/work/…/complete/")
    assert request["request_id"]
    assert all(line["timestamp"].endswith("Z") for line in lines)


@pytest.mark.parametrize("form", ["plain", "json"])
def test_the_token_of_an_attempt_is_in_no_line(tmp_path, form):
    assert "HIDDEN" not in said(tmp_path, PEXEC_LOG=form).stderr


def test_the_level_is_a_setting(tmp_path):
    assert "took the lead" not in said(tmp_path, PEXEC_LOG_LEVEL="WARNING").stderr


def test_an_unknown_form_is_refused(tmp_path):
    found = said(tmp_path, PEXEC_LOG="xml")
    assert found.returncode != 0
    assert "not one of plain, json" in found.stderr
