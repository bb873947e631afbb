"""Watches what a keeper runs for an attempt: output pumped, stopped when it must end, and judged.

It runs in a scratch directory of its own that is removed afterwards.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from executions.runners.base import Context, End, Outcome
from executions.runners.builtin import Fault, check_number, unknown_keys
from executions.runners.commands import Command, SupervisorGoneError
from executions.runners.keeper import LIMITS, PROCESSES
from executions.runners.output import as_text
from executions.runners.results import LastLine

GRACE_S = 5.0
PATIENCE_S = 10.0
"""How long after the grace a keeper may take to say that all has ended."""
READ_BYTES = 65536
POLL_S = 0.1
NOT_EXECUTABLE = 126
NOT_FOUND = 127
GONE = "the supervisor of commands is gone"
PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "HOME", "USER", "TMPDIR")

Start = Callable[[int, int], Command]
"""Starts something with descriptors for its input and its output."""

_PROGRESS = re.compile(rb"^::progress (\d+(?:\.\d+)?)(?: ([^\n]*))?\r?$", re.MULTILINE)


class Scratch:
    """Directories and environments for attempts."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._environment = {k: v for k, v in os.environ.items() if k in PASSED_ON}

    @contextlib.contextmanager
    def opened(self, context: Context) -> Iterator[Path]:
        """A directory for one attempt."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = Path(tempfile.mkdtemp(prefix=f"{context.task[:40]}-", dir=self._directory))
        try:
            yield path
        finally:
            try:
                path.rmdir()  # most commands leave nothing in it
            except OSError:
                shutil.rmtree(path, ignore_errors=True)

    def environment(
        self, path: Path, context: Context, own: Mapping[str, str] | None = None
    ) -> dict[str, str]:
        """The worker's surroundings, an attempt's own variables, and what every attempt is told."""
        return {
            **self._environment,
            **(own or {}),
            "PEXEC_EXECUTION": context.execution,
            "PEXEC_TASK": context.task,
            "PEXEC_ATTEMPT": str(context.attempt),
            "PEXEC_TOKEN": context.token,
            "PEXEC_RESULT": str(result_file(path)),
        }


def result_file(scratch: Path) -> Path:
    """Where an attempt may write its result."""
    return scratch / ".pexec-result"


def mark(context: Context) -> str:
    """By which the processes of an attempt are known where their keeper is gone."""
    return f"PEXEC_TOKEN={context.token}"


class Watch:
    """One attempt, until it and its output have ended."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._deadline = time.monotonic() + context.timeout_s
        self._stopped_at = 0.0
        self._stopped_as: End | None = None
        self.last_line = LastLine()

    def over(self, start: Start, stdin_text: str | None) -> Outcome:
        """Start it and see it to its end; raises NotStartedError."""
        with _stdin(stdin_text) as stdin:
            read, write = os.pipe2(os.O_CLOEXEC)
            with os.fdopen(read, "rb", buffering=0) as pipe:
                try:
                    command = start(stdin, write)
                except SupervisorGoneError:
                    return Outcome(End.FAILED, GONE)
                finally:
                    os.close(write)
                try:
                    self._until_over(command, pipe)
                except BaseException:  # whoever listens to it failed: nothing may run on
                    command.stop(0)
                    while not command.is_over:
                        command.hear()
                    raise
        return self._judged(command)

    def _until_over(self, command: Command, pipe: Any) -> None:
        poller = select.poll()
        poller.register(pipe, select.POLLIN)
        poller.register(command, select.POLLIN)
        is_open = True
        while not command.is_over:
            ready = {descriptor for descriptor, _ in poller.poll(POLL_S * 1000)}
            if is_open and pipe.fileno() in ready:
                is_open = self._pump(pipe)
                if not is_open:
                    poller.unregister(pipe)
            if command.fileno() in ready:
                command.hear()
            self._context.output.tick()
            if not command.is_over:
                self._stop_if_due(command)
        rest = select.poll()
        rest.register(pipe, select.POLLIN)
        while is_open and rest.poll(0):
            is_open = self._pump(pipe)

    def _pump(self, pipe: Any) -> bool:
        data = pipe.read(READ_BYTES)
        if not data:
            return False
        self._context.output.write(data)
        lines = (self.last_line.unfinished + data).rpartition(b"\n")[0]
        self.last_line.write(data)
        if b"::progress " in lines:
            for percent, line in _PROGRESS.findall(lines)[-1:]:
                self._context.progress(min(float(percent), 100.0), as_text(line))
        return True

    def _stop_if_due(self, command: Command) -> None:
        now = time.monotonic()
        if self._stopped_as is None:
            if self._context.stop.is_set():
                self._stopped_as = End.CANCELLED
            elif now >= self._deadline:
                self._stopped_as = End.TIMED_OUT
            else:
                return
            self._stopped_at = now
            command.stop(GRACE_S)
        elif now > self._stopped_at + GRACE_S + PATIENCE_S:
            command.abandon()

    def _judged(self, command: Command) -> Outcome:
        code = command.result()
        if self._stopped_as is End.TIMED_OUT:
            return Outcome(End.TIMED_OUT, "Timeout exceeded", exit_code=code)
        if self._stopped_as is End.CANCELLED:
            return Outcome(End.CANCELLED, exit_code=code)
        if code is None:
            return Outcome(End.FAILED, GONE)
        if command.why:
            return Outcome(End.FAILED, command.why, exit_code=code)
        if code == 0:
            return Outcome(End.COMPLETED, exit_code=0)
        last = self._context.output.last_line()
        said = f": {last}" if last else ""
        return Outcome(End.FAILED, _ended_badly(code) + said, exit_code=code)


def _ended_badly(code: int) -> str:
    if code < 0:
        with contextlib.suppress(ValueError):
            return f"killed by {signal.Signals(-code).name}"
        return f"killed by signal {-code}"
    if code == NOT_FOUND:
        return "command not found (exit code 127)"
    if code == NOT_EXECUTABLE:
        return "not executable (exit code 126)"
    return f"exit code {code}"


@contextlib.contextmanager
def _stdin(text: str | None) -> Iterator[int]:
    if text is None:
        null = os.open(os.devnull, os.O_RDONLY)
        try:
            yield null
        finally:
            os.close(null)
    else:
        with tempfile.TemporaryFile() as file:
            file.write(text.encode())
            file.seek(0)
            yield file.fileno()


def limit_faults(limits: Any) -> list[Fault]:
    """Every fault of the limits in a payload."""
    if not isinstance(limits, Mapping):
        return [("limits", "must be a mapping")]
    known = {*LIMITS, PROCESSES}
    faults = unknown_keys(limits, known)
    for name in sorted(known):
        faults += check_number(limits, name, at_least=1)
    return [(f"limits.{place}", message) for place, message in faults]
