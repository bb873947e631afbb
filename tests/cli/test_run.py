"""`pexec run` on an empty machine: starts what it needs, follows, reports, leaves none."""

import json
import os
import subprocess
import sys

import pytest
from django.conf import settings

pytestmark = pytest.mark.processes
WITHIN_S = 120

SPEC = {
    "name": "run",
    "tasks": [
        {"id": "A", "runner": "sleep", "payload": {"seconds": 0.1}},
        {"id": "B", "runner": "shell", "payload": {"command": "echo broken; exit 3"}},
        {"id": "C", "depends_on": ["B"]},
    ],
}


@pytest.fixture
def pexec(tmp_path):
    path = tmp_path / "spec.json"
    path.write_text(json.dumps(SPEC))
    given = {k: v for k, v in os.environ.items() if k not in ("REDIS_URL", "PEXEC_RUNNERS")}
    var = tmp_path / "var"

    def run(*arguments: str):
        return subprocess.run(
            [sys.executable, "manage.py", "pexec", *arguments],
            cwd=settings.BASE_DIR,
            env={**given, "PEXEC_VAR": str(var)},
            capture_output=True,
            text=True,
            timeout=WITHIN_S,
            check=False,
        )

    run.spec, run.var = str(path), var
    return run


def test_a_run_on_an_empty_machine_ends_with_its_report_and_code(pexec):
    done = pexec("run", pexec.spec, "--json")
    run = json.loads(done.stdout)["parallel_execution"]
    assert done.returncode == 1
    assert (run["status"], run["outcome"]) == ("completed", "partial")
    assert (run["tasks"]["completed"], run["tasks"]["failed"], run["tasks"]["skipped"]) == (1, 1, 1)
    assert "failed: B: exit code 3" in done.stderr
    assert not (pexec.var / "supervisord.pid").exists()
    told = pexec("report", run["id"], "--format", "text")
    assert told.returncode == 0
    assert f"{run['id']} run: Completed with 1 failure" in told.stdout
