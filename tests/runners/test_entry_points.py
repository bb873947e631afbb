"""Runners of other packages: the example of docs/runners.md, installed as its users would."""

import logging
import re
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from executions.runners import registry
from executions.runners.base import Context, End
from executions.runners.output import OutputBuffer
from executions.runners.registry import RunnerOptions, RunnerSet, check_payload

PAGE = Path(__file__).resolve().parents[2] / "docs" / "runners.md"
BROKEN = """
    class Stubborn:
        name = "stubborn"
        dangerous = False

        def __init__(self, options):
            if options.http_allowed:
                raise LookupError("not like this")

        def check(self, payload):
            return payload["never"]

        def run(self, payload, context):
            raise SystemExit(0)
"""


def block(language):
    return re.search(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)[1]


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Lay packages with entry points where Python finds them."""

    def lay(entry_points, **modules):
        package = tmp_path / "my_package"
        package.mkdir()
        (package / "__init__.py").touch()
        for name, code in modules.items():
            (package / f"{name}.py").write_text(textwrap.dedent(code))
        about = tmp_path / "my_package-1.0.dist-info"
        about.mkdir()
        (about / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
        (about / "entry_points.txt").write_text(f"[pexec.runners]\n{entry_points}\n")
        monkeypatch.syspath_prepend(tmp_path)
        registry.added.cache_clear()
        registry.kinds.cache_clear()

    yield lay
    monkeypatch.undo()
    for name in [name for name in sys.modules if name.startswith("my_package")]:
        del sys.modules[name]
    registry.added.cache_clear()
    registry.kinds.cache_clear()


def run(name, payload, tmp_path, **options):
    said = []
    context = Context("PEXEC-1", "T", 1, "t", 5.0, OutputBuffer(), threading.Event())
    context.progress = lambda _percent, line: said.append(line)
    runners = RunnerSet([name], RunnerOptions(tmp_path / "scratch", **options))
    return runners.run(name, payload, context), said, context


def test_the_worked_example_is_found_checked_and_run(install, tmp_path):
    table = block("toml").splitlines()
    assert table[0] == '[project.entry-points."pexec.runners"]'
    install(table[1].replace('"', ""), countdown=block("python"))
    assert check_payload("countdown", {"start": 2}, ["countdown"]) == []
    assert check_payload("countdown", {}, ["countdown"]) == [("start", "required: a whole number")]
    assert check_payload("countdown", {"start": 2}, []) == [
        ("", "runner 'countdown' is not enabled here")
    ]
    outcome, said, context = run("countdown", {"start": 2}, tmp_path)
    assert (outcome.end, outcome.result) == (End.COMPLETED, {"counted": 2})
    assert said == ["2 left", "1 left"]
    assert context.output.head == b"2\n1\n"


def test_a_runner_that_cannot_be_loaded_is_left_out_and_the_others_stay(install, caplog):
    install("broken = my_package.broken:Runner\ngone = my_package.gone:Runner", broken="1 / 0")
    with caplog.at_level(logging.ERROR):
        assert check_payload("noop", {}, ["noop"]) == []
    assert "broken" in caplog.text
    assert "gone" in caplog.text
    assert check_payload("broken", {}, ["broken"])[0][1].startswith("no runner 'broken'")


def test_no_other_package_takes_a_built_in_name(install, caplog):
    install("shell = my_package.mine:Stubborn", mine=BROKEN)
    assert check_payload("shell", {"command": "ls"}, ["shell"]) == []
    assert "name that is taken" in caplog.text


def test_what_another_packages_runner_does_wrong_is_its_own_failure(install, tmp_path, caplog):
    install("stubborn = my_package.mine:Stubborn", mine=BROKEN)
    assert check_payload("stubborn", {}, ["stubborn"]) == [
        ("", "cannot be checked: KeyError: 'never'")
    ]
    outcome, _said, _context = run("stubborn", {"never": []}, tmp_path)
    assert (outcome.end, outcome.error) == (End.FAILED, "SystemExit: 0")
    outcome, _said, _context = run("stubborn", {"never": []}, tmp_path, http_allowed=("*",))
    assert "not enabled on this worker" in outcome.error
    assert "not like this" in caplog.text
