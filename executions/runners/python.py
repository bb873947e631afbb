"""Calls of Python functions, each in a process of its own, so that it can be stopped whole.

Only callables on the allow-list may be named: exact dotted paths, or packages as `package.*`. A
callable that takes `progress` is given a function `progress(percent, line="")`.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from executions.runners.base import Context, End, Outcome
from executions.runners.builtin import Fault, unknown_keys
from executions.runners.shell import Shell

ROOT = Path(__file__).resolve().parents[2]
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

    def __init__(self, shell: Shell, allowed: tuple[str, ...]) -> None:
        self._shell = shell
        self._allowed = allowed

    def check(self, payload: Mapping[str, Any]) -> list[Fault]:
        """A callable, and its arguments."""
        return check_payload(payload)

    def run(self, payload: Mapping[str, Any], context: Context) -> Outcome:
        """Call it in a child process."""
        if not is_allowed(payload["callable"], self._allowed):
            message = f"'{payload['callable']}' is not on the list of callables that may be called"
            return Outcome(End.FAILED, message, retryable=False)
        command = {
            "command": [sys.executable, "-m", "executions.runners.python_child"],
            "stdin": json.dumps(dict(payload)),
            "env": {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
        }
        outcome = self._shell.run(command, context)
        if outcome.end is End.COMPLETED:
            if not isinstance(outcome.result, dict) or "returned" not in outcome.result:
                return Outcome(
                    End.FAILED, "the process ended before the call returned", exit_code=0
                )
            return Outcome(End.COMPLETED, result=outcome.result["returned"], exit_code=0)
        return outcome


def check_payload(payload: Mapping[str, Any]) -> list[Fault]:
    """Every fault of a python payload."""
    faults = unknown_keys(payload, {"callable", "args", "kwargs"})
    name = payload.get("callable")
    if not isinstance(name, str) or not _DOTTED.match(name):
        faults.append(("callable", "required: a dotted path like package.module.function"))
    if not isinstance(payload.get("args", []), list):
        faults.append(("args", "must be a list"))
    if not isinstance(payload.get("kwargs", {}), Mapping):
        faults.append(("kwargs", "must be a mapping"))
    return faults
