"""At a terminal, whatever it lacks and whatever is wrong: words and a code, never a traceback."""

import json
import os
import shlex
import subprocess
import sys

import pytest
from django.conf import settings

pytestmark = pytest.mark.processes
MANAGE = f"{shlex.quote(sys.executable)} manage.py"


@pytest.fixture(scope="module")
def shell(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    (home / "g.json").write_text(json.dumps({"name": "g", "tasks": [{"id": "Ä", "duration_s": 3}]}))
    given = {k: v for k, v in os.environ.items() if k not in ("REDIS_URL", "PEXEC_RUNNERS")}

    def run(command, **environment):
        words = command.replace("PEXEC", f"{MANAGE} pexec").replace("SPEC", str(home / "g.json"))
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", words.replace("UP", f"{MANAGE} up")],
            cwd=settings.BASE_DIR,
            env={**given, "PEXEC_VAR": str(home / "var"), **environment},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert "Traceback" not in done.stderr + done.stdout, done.stderr
        assert "Exception ignored" not in done.stderr
        return done

    assert run("PEXEC simulate SPEC").returncode == 0
    return run


def test_who_has_seen_enough_ends_it_quietly(shell):
    done = shell("PEXEC simulate SPEC --json | true")
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
def test_a_closed_stream_takes_no_file_of_ours(shell, closed):
    assert shell(f"PEXEC simulate SPEC {closed}").returncode == 0


def test_nothing_to_read_from_is_bad_input(shell):
    done = shell("PEXEC plan - <&-")
    assert (done.returncode, done.stderr) == (2, "CommandError: -: standard input is closed\n")


def test_a_full_disk_behind_the_output_is_told(shell):
    done = shell("PEXEC simulate SPEC > /dev/full")
    assert (done.returncode, done.stderr) == (2, "No space left on device\n")


def test_what_an_encoding_has_no_words_for_is_escaped(shell):
    done = shell("PEXEC simulate SPEC", PYTHONIOENCODING="ascii")
    assert done.returncode == 0
    assert "\\xc4" in done.stdout


WRONG = {
    "PORT": ("abc", "PORT is 'abc', not a whole number of at least 0"),
    "PEXEC_TEMPO": ("nan", "PEXEC_TEMPO is 'nan', not a number of at least 0"),
    "PEXEC_VAR": ("/dev/null/x", "/dev/null/x cannot be made"),
    "DATABASE_URL": ("nonsense://x", "'nonsense' isn't an available database backend"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_setting_is_named(shell, name):
    value, words = WRONG[name]
    done = shell("PEXEC report 1", **{name: value})
    assert done.returncode == 2
    assert done.stderr.startswith("The settings are wrong: ")
    assert words in done.stderr


def test_a_database_that_is_away_is_told_without_its_password(shell):
    done = shell("PEXEC report 1", DATABASE_URL="postgres://u:hush-hush@127.0.0.1:1/x")
    assert done.returncode == 2
    assert done.stderr.startswith("The database cannot be reached or written to: ")
    assert "hush-hush" not in done.stderr


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("PEXEC prune --days nan", "say how much to keep"),
        ("PEXEC prune --days 1e300", "say how much to keep"),
        ("PEXEC cancel 1 --user $'\\xff'", "no execution '1'"),
        ("PEXEC run SPEC --user $'\\xff'", "no user"),
        ("UP --workers 0", "'0' is no whole number of at least 1"),
        ("UP --slots x", "'x' is no whole number of at least 1"),
        ("UP --slots 1234567890", "'1234567890' is no whole number of at least 1"),
    ],
)
def test_what_makes_no_sense_is_bad_input(shell, command, words):
    done = shell(command)
    assert done.returncode == 2
    assert words in done.stderr


def test_a_port_that_is_none_is_told(shell):
    done = shell("UP", PORT="99999")
    assert done.returncode == 1
    assert "there is no port 99999" in done.stderr
