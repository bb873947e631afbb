"""Calls of Python functions, each in a process of its own, so that it can be stopped whole.

The process is forked from a keeper that has Python ready and has never run anybody's code, so that
no call sees what another one left.

Only callables on the allow-list may be named: exact dotted paths, or packages as `package.*`. A
callable that takes `progress` is given a function `progress(percent, line="")`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from executions.runners.base import Context, End, Outcome
from executions.runners.builtin import Fault, unknown_keys
from executions.runners.commands import Commands, NotStartedError
from executions.runners.results import BadResultError, NoResultError, from_file
from executions.runners.watched import Scratch, Watch, limit_faults, mark, result_file

_DOTTED = re.compile(r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$")


def is_allowed(callable_: str, allowed: Iterable[str]) -> bool:
    """Whether the allow-list names a callable, itself or by its package."""
    return any(
        callable_.startswith(name[:-1]) if name.endswith(".*") else callable_ == name
        for name in allowed
    )


class Python:
    """Calls a function."""

    name: ClassVar[str] = "python"
    dangerous: ClassVar[bool] = True

    def __init__(self, commands: Commands, scratch_dir: Path, allowed: tuple[str, ...]) -> None:
        self._commands = commands
        self._scratch = Scratch(scratch_dir)
        self._allowed = allowed

    def check(self, payload: Mapping[str, Any]) -> list[Fault]:
        """A callable, and its arguments."""
        return check_payload(payload)

    def run(self, payload: Mapping[str, Any], context: Context) -> Outcome:
        """Call it in a child process."""
        if not is_allowed(payload["callable"], self._allowed):
            message = f"'{payload['callable']}' is not on the list of callables that may be called"
            return Outcome(End.FAILED, message, retryable=False)
        with self._scratch.opened(context) as scratch:
            return self._called_in(scratch, payload, context)

    def _called_in(self, scratch: Path, payload: Mapping[str, Any], context: Context) -> Outcome:
        try:
            outcome = Watch(context).over(
                lambda stdin, output: self._commands.call(
                    payload,
                    env=self._scratch.environment(scratch, context),
                    cwd=scratch,
                    stdin=stdin,
                    output=output,
                    mark=mark(context),
                    limits=payload.get("limits", {}),
                ),
                None,
            )
        except NotStartedError as error:
            return Outcome(End.FAILED, f"not started: {error}")
        if outcome.end is not End.COMPLETED:
            return outcome
        try:
            return replace(outcome, result=from_file(result_file(scratch)))
        except NoResultError:
            said = "the process ended (exit code 0) before the call returned"
            return Outcome(End.FAILED, said, exit_code=0)
        except BadResultError as error:
            return Outcome(End.FAILED, str(error), exit_code=0)


def check_payload(payload: Mapping[str, Any]) -> list[Fault]:
    """Every fault of a python payload."""
    faults = unknown_keys(payload, {"callable", "args", "kwargs", "limits"})
    name = payload.get("callable")
    if not isinstance(name, str) or not _DOTTED.match(name):
        faults.append(("callable", "required: a dotted path like package.module.function"))
    if not isinstance(payload.get("args", []), list):
        faults.append(("args", "must be a list"))
    if not isinstance(payload.get("kwargs", {}), Mapping):
        faults.append(("kwargs", "must be a mapping"))
    return faults + limit_faults(payload.get("limits", {}))
