"""What an attempt gives back: JSON that every database keeps, found, bounded and checked here.

A result that is too large or is no JSON ends its attempt as failed; it is never dropped in silence.
"""

from __future__ import annotations

import json
import math
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from executions.runners.base import End, Outcome

RESULT_LIMIT_BYTES = 65536
"""Of what a command or a callable gives, as JSON text."""
KEPT_LIMIT_BYTES = 8 * RESULT_LIMIT_BYTES
"""Of what any runner gives."""
DEPTH_LIMIT = 50
EXIT_CODE_LIMIT = 2**31
"""Every exit code a system knows is below; what a database keeps, too."""
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

_UNKEPT = re.compile("[\0\ud800-\udfff]")
"""What PostgreSQL keeps in no text."""


class BadResultError(Exception):
    """A result cannot be kept; the text says why. Give less, or plain JSON."""


class NoResultError(Exception):
    """Nothing was written to the file named in PEXEC_RESULT."""


class LastLine:
    """The last printed line that is not blank, as far as a result may reach, and one byte more."""

    def __init__(self) -> None:
        self.unfinished = b""
        self._finished = b""

    def write(self, data: bytes) -> None:
        """Follow what is printed."""
        lines, newline, rest = data.rpartition(b"\n")
        if newline:
            last = (self.unfinished + lines).rstrip().rpartition(b"\n")[2]
            self._finished = last[: RESULT_LIMIT_BYTES + 1] or self._finished
            self.unfinished = b""
        room = RESULT_LIMIT_BYTES + 1 - len(self.unfinished)
        self.unfinished += rest[:room]

    @property
    def text(self) -> bytes:
        """The line."""
        return self.unfinished.rstrip() or self._finished


def parse(data: bytes) -> Any:
    """Strict JSON; raises ValueError."""
    return json.loads(data, parse_constant=_no_constant)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def from_line(line: bytes) -> Any:
    """The object or list that a line is; {} where it is neither, as most last lines are."""
    if len(line) > RESULT_LIMIT_BYTES:
        if _is_json_so_far(line):
            raise _too_large("the last line")
        return {}
    try:
        found = parse(line)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict | list) else {}


def from_file(path: Path) -> Any:
    """The JSON in the file named in PEXEC_RESULT, {} if empty; raises NoResultError without it."""
    try:
        with open(path, "rb", opener=_open_at_once) as file:
            data = file.read(RESULT_LIMIT_BYTES + 1)
    except FileNotFoundError:
        raise NoResultError from None
    except OSError as error:
        raise BadResultError(f"the file PEXEC_RESULT cannot be read: {error.strerror}") from None
    if len(data) > RESULT_LIMIT_BYTES:
        raise _too_large("the file PEXEC_RESULT")
    if not data.strip():
        return {}
    try:
        return parse(data)
    except (ValueError, RecursionError) as error:
        raise BadResultError(f"the file PEXEC_RESULT is not JSON: {error}") from None


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # a named pipe would be waited for


def _too_large(what: str) -> BadResultError:
    return BadResultError(f"{what} is a result of more than {RESULT_LIMIT_BYTES} bytes")


def _is_json_so_far(line: bytes) -> bool:
    """Whether the beginning of a line is the beginning of a JSON object or list."""
    text = line.decode(errors="ignore").lstrip()
    if text[:1] not in ("{", "["):
        return False
    try:
        parse(text.encode())
    except json.JSONDecodeError as error:  # where it is cut, not before
        return error.msg.startswith("Unterminated string") or error.pos > len(text) - 16
    except (ValueError, RecursionError):
        return False
    return True


def kept(outcome: Outcome) -> Outcome:
    """The outcome as every database takes it, or a failure that says why it cannot be kept."""
    error = keep_text(outcome.error)
    code = outcome.exit_code
    if code is not None and abs(code) >= EXIT_CODE_LIMIT:
        outcome = replace(outcome, exit_code=None)
    try:
        return replace(outcome, error=error, result=keep(outcome.result))
    except BadResultError as refused:
        if outcome.end is not End.COMPLETED:  # it ended badly anyway, and says how
            return replace(outcome, error=error, result=None)
        return replace(outcome, end=End.FAILED, error=str(refused), result=None)


def keep_text(text: str) -> str:
    """A text as every database takes it."""
    return _UNKEPT.sub(REPLACEMENT, text)


def keep_percent(percent: Any) -> float | None:
    """A share of work done, 0 to 100; None for what is none."""
    try:
        found = float(percent)
    except (TypeError, ValueError, OverflowError):
        return None
    return min(max(found, 0.0), 100.0) if math.isfinite(found) else None


def keep(result: Any) -> Any:
    """A result as every database takes it; raises BadResultError."""
    try:
        fit = _kept(result, DEPTH_LIMIT)
        size = len(json.dumps(fit, allow_nan=False, ensure_ascii=False).encode())
    except (TypeError, ValueError) as refused:
        raise BadResultError(f"the result is not JSON: {refused}") from None
    if size > KEPT_LIMIT_BYTES:
        raise BadResultError(f"the result has more than {KEPT_LIMIT_BYTES} bytes")
    return fit


def _kept(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return _UNKEPT.sub(REPLACEMENT, value)
    if not isinstance(value, dict | list | tuple):
        return value
    if depth == 0:
        raise BadResultError(f"the result is nested more than {DEPTH_LIMIT} deep")
    if isinstance(value, dict):
        return {_kept(key, 0): _kept(item, depth - 1) for key, item in value.items()}
    return [_kept(item, depth - 1) for item in value]
