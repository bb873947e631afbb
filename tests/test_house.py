"""The house stays beautiful: sizes held by numbers. Raise one only with a reason."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MODULE_LINES = 500
FUNCTION_LINES = 60
TEST_LINES = 300
SCRIPT_LINES = 500
LARGER = {
    # one drill for each row of the fault table, side by side
    "tests/chaos/drills.py": 420,
}


def files(*patterns):
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).exists()]


def lines(path):
    return len(path.read_text().splitlines())


def limit_of(path, usual):
    return LARGER.get(str(path.relative_to(ROOT)), usual)


def modules():
    return [p for p in files("executions/*.py", "pexec_site/*.py", "bench/*.py", "manage.py")
            if "migrations" not in p.parts]  # fmt: skip


def test_no_module_is_too_long():
    long = {str(p): lines(p) for p in modules() if lines(p) > limit_of(p, MODULE_LINES)}
    assert long == {}


def test_no_test_file_is_too_long():
    long = {str(p): lines(p) for p in files("tests/*.py") if lines(p) > limit_of(p, TEST_LINES)}
    assert long == {}


def test_no_script_or_page_is_too_long():
    long = {str(p): lines(p) for p in files("static/*.js", "templates/*.html")
            if lines(p) > SCRIPT_LINES}  # fmt: skip
    assert long == {}


def test_no_function_is_too_long():
    long = {}
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                size = node.end_lineno - node.lineno + 1
                if size > FUNCTION_LINES:
                    long[f"{path}:{node.name}"] = size
    assert long == {}


def test_every_module_says_what_it_is_for():
    silent = [str(p) for p in modules() if not ast.get_docstring(ast.parse(p.read_text()))]
    assert silent == []


@pytest.mark.parametrize("word", ["utils", "common", "helpers", "manager", "misc"])
def test_no_module_is_named_for_nothing(word):
    assert [p for p in modules() if word in p.stem.split("_")] == []


def test_every_link_in_the_documents_leads_somewhere():
    broken = [
        f"{document.name}: {target}"
        for document in files("*.md")
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text())
        if not (document.parent / target).exists()
    ]
    assert broken == []


@pytest.mark.parametrize("name", ["requirements", "requirements-dev"])
def test_what_is_installed_is_what_was_chosen_with_its_hash(name):
    """`make lock` was run after the last change of what we chose."""
    chosen = re.findall(
        r"^([a-z0-9-]+)(?:\[\w+\])?==(\S+)", _read(f"{name}.in"), re.MULTILINE | re.IGNORECASE
    )
    locked = dict(
        re.findall(r"^([a-z0-9-]+)(?:\[\w+\])?==(\S+)", _read(f"{name}.txt"), re.MULTILINE)
    )
    assert {n: v for n, v in chosen if locked.get(n.lower()) != v} == {}
    assert len(re.findall(r"^\S+==", _read(f"{name}.txt"), re.MULTILINE)) == len(
        re.findall(r"==[^\\]*\\\n\s+--hash=sha256:", _read(f"{name}.txt"))
    )


def _read(name):
    return (ROOT / name).read_text()
