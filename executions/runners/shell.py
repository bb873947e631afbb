"""Commands of the system: own session, output kept, ended whole at timeout or cancel.

`command` is a string for /bin/sh or a list of arguments. It runs in a scratch directory of its own
(`cwd` is relative to it), removed afterwards. Its result is the JSON it writes to the file named in
PEXEC_RESULT, else the last line it prints, if that is a JSON object or list. A printed line
`::progress 40 compiling` reports progress.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from executions.runners.base import Context, End, Outcome
from executions.runners.builtin import Fault, unknown_keys
from executions.runners.commands import Commands, NotStartedError
from executions.runners.results import BadResultError, NoResultError, from_file, from_line
from executions.runners.watched import (
    NOT_EXECUTABLE,
    NOT_FOUND,
    Scratch,
    Watch,
    limit_faults,
    mark,
    result_file,
)


class Shell:
    """Runs a command."""

    name: ClassVar[str] = "shell"
    dangerous: ClassVar[bool] = True

    def __init__(self, commands: Commands, scratch_dir: Path) -> None:
        self._commands = commands
        self._scratch = Scratch(scratch_dir)

    def check(self, payload: Mapping[str, Any]) -> list[Fault]:
        """A command, and what goes with it."""
        return check_payload(payload)

    def run(self, payload: Mapping[str, Any], context: Context) -> Outcome:
        """Run it to its end."""
        with self._scratch.opened(context) as scratch:
            return self._run_in(scratch, payload, context)

    def _run_in(self, scratch: Path, payload: Mapping[str, Any], context: Context) -> Outcome:
        cwd = scratch / payload.get("cwd", "")
        if not cwd.is_dir():
            return Outcome(End.FAILED, f"no directory {payload['cwd']}", retryable=False)
        command = payload["command"]
        argv = ["/bin/sh", "-c", command] if isinstance(command, str) else command
        env = self._scratch.environment(scratch, context, payload.get("env"))
        watch = Watch(context)
        try:
            outcome = watch.over(
                lambda stdin, output: self._commands.run(
                    argv,
                    env=env,
                    cwd=cwd,
                    stdin=stdin,
                    output=output,
                    mark=mark(context),
                    limits=payload.get("limits", {}),
                ),
                payload.get("stdin"),
            )
        except NotStartedError as error:
            return _not_started(error, argv[0])
        return _with_result(outcome, watch, scratch) if outcome.end is End.COMPLETED else outcome


def _with_result(outcome: Outcome, watch: Watch, scratch: Path) -> Outcome:
    try:
        return replace(outcome, result=from_file(result_file(scratch)))
    except NoResultError:
        pass
    except BadResultError as error:
        return Outcome(End.FAILED, str(error), exit_code=0)
    try:
        return replace(outcome, result=from_line(watch.last_line.text))
    except BadResultError as error:
        return Outcome(End.FAILED, str(error), exit_code=0)


def _not_started(error: NotStartedError, program: str) -> Outcome:
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return Outcome(End.FAILED, f"command not found: {program}", exit_code=NOT_FOUND)
    if error.errno in (errno.EACCES, errno.ENOEXEC):
        return Outcome(End.FAILED, f"not executable: {program} ({error})", exit_code=NOT_EXECUTABLE)
    return Outcome(End.FAILED, f"not started: {program}: {error}")


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
    return faults + limit_faults(payload.get("limits", {}))


def _env_faults(env: Any) -> list[Fault]:
    if not isinstance(env, Mapping):
        return [("env", "must be a mapping of names to texts")]
    return [
        (f"env.{name}", "must be text, its name without '='")
        for name, value in env.items()
        if not isinstance(value, str) or "=" in name or not _is_passable(name + value)
    ]
