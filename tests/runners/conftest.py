"""Runners as a lane calls them, on a real supervisor."""

import secrets
import threading

import pytest

from executions.runners.base import Context, Outcome
from executions.runners.output import OutputBuffer, as_text, whole
from executions.runners.processes import children_by_parent, descendants
from executions.runners.registry import RunnerOptions, RunnerSet


class Bench:
    """Runs one attempt at a time and keeps what it printed."""

    def __init__(self, runners: RunnerSet) -> None:
        self.runners = runners
        self.output = OutputBuffer()
        self.progress: list[tuple[float | None, str]] = []
        self.stop = threading.Event()
        self.token = ""

    def run(self, name, payload, *, timeout_s=20.0, attempt=1) -> Outcome:
        self.output = OutputBuffer()
        self.token = secrets.token_hex(8)
        context = Context(
            execution="PEXEC-1",
            task="T1",
            attempt=attempt,
            token=self.token,
            timeout_s=timeout_s,
            output=self.output,
            stop=self.stop,
            progress=lambda percent, line: self.progress.append((percent, line)),
        )
        return self.runners.run(name, payload, context)

    def sh(self, command, **options) -> Outcome:
        payload = {"command": command, **options.pop("payload", {})}
        return self.run("shell", payload, **options)

    @property
    def printed(self) -> str:
        self.output.close()
        return as_text(whole(self.output.head, self.output.tail, self.output.total_bytes))

    def left(self) -> list[int]:
        """Processes that keepers still keep: whatever session and environment they took."""
        supervisor = self.runners._commands._process.pid
        keepers = children_by_parent().get(supervisor, [])
        return [pid for keeper in keepers for pid in descendants(keeper)]


@pytest.fixture(scope="module")
def runners(tmp_path_factory):
    scratch = tmp_path_factory.mktemp("scratch")
    found = RunnerSet(
        ["noop", "sleep", "shell", "python", "external"],
        RunnerOptions(scratch, python_callables=("tests.runners.work.*",)),
    )
    found.start()
    yield found
    found.stop()
    assert list(scratch.iterdir()) == []


@pytest.fixture
def bench(runners) -> Bench:
    return Bench(runners)
