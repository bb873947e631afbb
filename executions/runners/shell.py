"""Commands of the system: own session, output kept, ended whole at timeout or cancel.

`command` is a string for /bin/sh or a list of arguments. It runs in a scratch directory of its own
(`cwd` is relative to it), removed afterwards. Its result is the JSON it writes to the file named in
PEXEC_RESULT, else the last line it prints, if that is a JSON object or list. A printed line
`::progress 40 compiling` reports progress.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import select
import shutil
import signal
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from executions.runners.base import Context, End, Outcome
from executions.runners.builtin import Fault, check_number, unknown_keys
from executions.runners.commands import Command, Commands, NotStartedError, SupervisorGoneError
from executions.runners.output import as_text
from executions.runners.results import BadResultError, LastLine, from_file, from_line
from executions.runners.supervisor import LIMITS

GRACE_S = 5.0
READ_BYTES = 65536
POLL_S = 0.1
ERROR_BYTES = 2000
NOT_EXECUTABLE = 126
NOT_FOUND = 127
PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "HOME", "USER", "TMPDIR")

_PROGRESS = re.compile(rb"^::progress (\d+(?:\.\d+)?)(?: ([^\n]*))?\r?$", re.MULTILINE)


class Shell:
    """Runs a command."""

    name: ClassVar[str] = "shell"
    dangerous: ClassVar[bool] = True

    def __init__(self, commands: Commands, scratch_dir: Path) -> None:
        self._commands = commands
        self._scratch_dir = scratch_dir
        self._environment = {k: v for k, v in os.environ.items() if k in PASSED_ON}

    def check(self, payload: Mapping[str, Any]) -> list[Fault]:
        """A command, and what goes with it."""
        return check_payload(payload)

    def run(self, payload: Mapping[str, Any], context: Context) -> Outcome:
        """Run it to its end."""
        self._scratch_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f"{context.task[:40]}-", dir=self._scratch_dir))
        try:
            return self._run_in(scratch, payload, context)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def _run_in(self, scratch: Path, payload: Mapping[str, Any], context: Context) -> Outcome:
        cwd = scratch / payload.get("cwd", "")
        if not cwd.is_dir():
            return Outcome(End.FAILED, f"no directory {payload['cwd']}", retryable=False)
        command = payload["command"]
        argv = ["/bin/sh", "-c", command] if isinstance(command, str) else command
        result_file = scratch / ".pexec-result"
        env = {
            **self._environment,
            **payload.get("env", {}),
            "PEXEC_EXECUTION": context.execution,
            "PEXEC_TASK": context.task,
            "PEXEC_ATTEMPT": str(context.attempt),
            "PEXEC_TOKEN": context.token,
            "PEXEC_RESULT": str(result_file),
        }
        watch = Watch(context)
        with _stdin(payload.get("stdin")) as stdin:
            read, write = os.pipe2(os.O_CLOEXEC)
            try:
                started = self._commands.spawn(
                    argv,
                    env=env,
                    cwd=cwd,
                    stdin=stdin,
                    output=write,
                    mark=f"PEXEC_TOKEN={context.token}",
                    limits=payload.get("limits", {}),
                )
            except SupervisorGoneError:
                os.close(read)
                return Outcome(End.FAILED, "the supervisor of commands is gone")
            finally:
                os.close(write)
        watch.until_over(started, read)
        return _outcome(started, watch, result_file, argv[0])


class Watch:
    """Reads what a command prints until it is over, and stops it when it must end."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._deadline = time.monotonic() + context.timeout_s
        self.stopped_as: End | None = None
        self.last_line = LastLine()
        self.end = b""

    def until_over(self, command: Command, read: int) -> None:
        """Pump until the command and its output have ended."""
        poller = select.poll()
        poller.register(read, select.POLLIN)
        is_open = True
        with os.fdopen(read, "rb", buffering=0) as pipe:
            while not command.over.is_set():
                if is_open and poller.poll(POLL_S * 1000):
                    is_open = self._pump(pipe.read(READ_BYTES))
                elif not is_open:
                    command.over.wait(POLL_S)
                self._context.output.tick()
                self._stop_if_due(command)
            while is_open and poller.poll(0):
                is_open = self._pump(pipe.read(READ_BYTES))

    def _pump(self, data: bytes | None) -> bool:
        if not data:
            return False
        self._context.output.write(data)
        lines = (self.last_line.unfinished + data).rpartition(b"\n")[0]
        self.last_line.write(data)
        self.end = (self.end + data[-ERROR_BYTES:])[-ERROR_BYTES:]
        if b"::progress " in lines:
            for percent, line in _PROGRESS.findall(lines)[-1:]:
                self._context.progress(min(float(percent), 100.0), as_text(line))
        return True

    def _stop_if_due(self, command: Command) -> None:
        if self.stopped_as is None:
            if self._context.stop.is_set():
                self.stopped_as = End.CANCELLED
            elif time.monotonic() >= self._deadline:
                self.stopped_as = End.TIMED_OUT
            else:
                return
            command.stop(GRACE_S)


def _outcome(command: Command, watch: Watch, result_file: Path, program: str) -> Outcome:
    try:
        code = command.result()
    except NotStartedError as error:
        return _not_started(error, program)
    except SupervisorGoneError:
        return Outcome(End.FAILED, "the supervisor of commands is gone")
    if watch.stopped_as is End.TIMED_OUT:
        return Outcome(End.TIMED_OUT, "Timeout exceeded", exit_code=code)
    if watch.stopped_as is End.CANCELLED:
        return Outcome(End.CANCELLED, exit_code=code)
    if code == 0:
        return _completed(watch, result_file)
    last = as_text(watch.end).strip().splitlines()
    said = f": {last[-1]}" if last else ""
    return Outcome(End.FAILED, _ended_badly(code) + said, exit_code=code)


def _not_started(error: NotStartedError, program: str) -> Outcome:
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return Outcome(End.FAILED, f"command not found: {program}", exit_code=NOT_FOUND)
    if error.errno in (errno.EACCES, errno.ENOEXEC):
        return Outcome(End.FAILED, f"not executable: {program} ({error})", exit_code=NOT_EXECUTABLE)
    return Outcome(End.FAILED, f"not started: {program}: {error}")


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


def _completed(watch: Watch, result_file: Path) -> Outcome:
    try:
        result = from_file(result_file)
        if result is None:
            result = from_line(watch.last_line.text)
    except BadResultError as error:
        return Outcome(End.FAILED, str(error), exit_code=0)
    return Outcome(End.COMPLETED, result=result, exit_code=0)


@contextlib.contextmanager
def _stdin(text: str | None):  # type: ignore[no-untyped-def]  # noqa: ANN202
    if text is None:
        with Path(os.devnull).open("rb") as null:
            yield null.fileno()
    else:
        with tempfile.TemporaryFile() as file:
            file.write(text.encode())
            file.seek(0)
            yield file.fileno()


def _is_passable(text: Any) -> bool:
    """Whether the system takes a text as an argument (what is no text is told elsewhere)."""
    if not isinstance(text, str):
        return True
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False


def check_payload(payload: Mapping[str, Any]) -> list[Fault]:
    """Every fault of a shell payload."""
    faults = unknown_keys(payload, {"command", "cwd", "env", "stdin", "limits"})
    command = payload.get("command")
    if not all(map(_is_passable, command if isinstance(command, list) else [command])):
        faults.append(("command", "must not contain NUL or lone surrogates"))
    if isinstance(command, list):
        if not command or not all(isinstance(word, str) and word for word in command[:1]):
            faults.append(("command", "must begin with a program"))
        faults += [
            (f"command[{n}]", "must be text")
            for n, word in enumerate(command)
            if not isinstance(word, str)
        ]
    elif not isinstance(command, str) or not command.strip():
        faults.append(("command", "required: a command line, or a list of arguments"))
    for key in ("cwd", "stdin"):
        if not isinstance(payload.get(key, ""), str):
            faults.append((key, "must be text"))
    if isinstance(cwd := payload.get("cwd"), str) and (
        cwd.startswith("/") or ".." in Path(cwd).parts
    ):
        faults.append(("cwd", "must be relative and below the attempt's own directory"))
    faults += _env_faults(payload.get("env", {}))
    limits = payload.get("limits", {})
    if not isinstance(limits, Mapping):
        return [*faults, ("limits", "must be a mapping")]
    faults += [(f"limits.{p}", m) for p, m in unknown_keys(limits, set(LIMITS)) if p not in LIMITS]
    for name in LIMITS:
        faults += [(f"limits.{p}", m) for p, m in check_number(limits, name, at_least=1)]
    return faults


def _env_faults(env: Any) -> list[Fault]:
    if not isinstance(env, Mapping):
        return [("env", "must be a mapping of names to texts")]
    return [
        (f"env.{name}", "must be text, its name without '='")
        for name, value in env.items()
        if not isinstance(value, str) or "=" in name or not _is_passable(name + value)
    ]
