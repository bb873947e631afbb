"""What was filled in at the start may not fit: it fails its own attempt and no other one's."""

import os
import subprocess
import tempfile
import threading
from pathlib import Path

import pytest

from executions.runners.base import Context, End
from executions.runners.commands import NotStartedError
from executions.runners.output import OutputBuffer


@pytest.mark.parametrize(
    ("payload", "place"),
    [
        ({"command": "echo a\0b"}, "command"),
        ({"command": "echo \ud800"}, "command"),
        ({"command": ["echo", "\0"]}, "command"),
        ({"command": ["echo", 3]}, "command[1]"),
        ({"command": "true", "env": {"V": 3}}, "env.V"),
        ({"command": "true", "env": {"V": "\ud800"}}, "env.V"),
        ({"command": "true", "cwd": "../.."}, "cwd"),
    ],
)
def test_a_payload_that_no_longer_fits_fails_with_its_place(bench, payload, place):
    outcome = bench.run("shell", payload)
    assert (outcome.end, outcome.retryable) == (End.FAILED, False)
    assert outcome.error.startswith(f"{place}: ")


def test_a_limit_beyond_all_bounds_is_the_highest_there_is(bench):
    assert bench.sh("true", payload={"limits": {"memory_mb": 1e300}}).end is End.COMPLETED


@pytest.mark.parametrize(
    "wrong", [{"argv": ["a\0b"]}, {"env": {"V": 3}}, {"limits": {"cpu_s": float("nan")}}]
)
def test_a_request_the_system_cannot_take_leaves_other_commands_alone(runners, wrong):
    begun = threading.Event()
    ends = []
    context = Context(
        "E", "T", 1, "bystander", 20.0, OutputBuffer(tap=lambda _offset, _data: begun.set())
    )
    with tempfile.TemporaryDirectory() as directory:
        gate = Path(directory, "gate")
        os.mkfifo(gate)
        thread = threading.Thread(
            target=lambda: ends.append(
                runners.run("shell", {"command": f"echo begun; cat {gate}"}, context).end
            )
        )
        thread.start()
        assert begun.wait(10)
        request = {"argv": ["true"], "env": {}, "limits": {}, **wrong}
        with Path(os.devnull).open("r+b") as null:
            command = runners._commands.run(
                **request, cwd=Path("/"), stdin=null.fileno(), output=null.fileno(), mark="M=1"
            )
        while not command.is_over:
            command.hear()
        with pytest.raises(NotStartedError):
            command.result()
        subprocess.run(["sh", "-c", f"echo done > {gate}"], check=True, timeout=10)
        thread.join(10)
    assert ends == [End.COMPLETED]
