"""What a runner is: payload in, outcome out. Knows no Django, no database, no broker.

A runner is one class in one file. It runs in a lane (a thread), must return soon after
`context.stop` is set or `context.deadline_s` is over, and must leave nothing behind.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, Protocol

from executions.runners.redaction import Redaction

NO_SECRETS = Redaction(())


class End(StrEnum):
    """How an attempt ended."""

    COMPLETED = "completed"
    """Ended well."""
    FAILED = "failed"
    """The work failed."""
    TIMED_OUT = "timed_out"
    """Ended at its time limit."""
    CANCELLED = "cancelled"
    """Stopped as told."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an attempt came to. `result` is JSON; `retryable` false: trying again cannot help."""

    end: End
    error: str = ""
    result: Any = None
    exit_code: int | None = None
    retryable: bool = True


class OutputSink(Protocol):
    """Where a runner writes what its work prints; keeps head and tail, never fails."""

    def write(self, data: bytes) -> None:
        """Append bytes of the combined output."""

    def tick(self) -> None:
        """Pass on what waits, if it is time; to be called now and then while nothing comes."""

    def last_line(self) -> str:
        """The last line that is not blank, secrets masked; nothing may be written after it."""


@dataclass(slots=True)
class Context:
    """What a runner is told about the attempt it runs, and how it reports.

    `timeout_s` counts from the call of `run` on the monotonic clock. `stop` is set when the
    attempt must end (cancel, shut-down, lost leadership of the slot). `progress(percent, line)`
    may be called at any time (percent 0-100 or None). Secrets are masked in whatever it gives
    back; what it cuts it masks itself by `redaction`, before.
    """

    execution: str
    task: str
    attempt: int
    token: str
    timeout_s: float
    output: OutputSink
    stop: threading.Event = field(default_factory=threading.Event)
    progress: Callable[[float | None, str], None] = lambda _percent, _line: None
    redaction: Redaction = NO_SECRETS


class Runner(Protocol):
    """One kind of work."""

    name: ClassVar[str]
    dangerous: ClassVar[bool]
    """Needs the permission of a runner admin to define (runs code on the worker)."""

    def check(self, payload: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Every fault of a payload as (place within it, message); called when a group is saved."""

    def run(self, payload: Mapping[str, Any], context: Context) -> Outcome:
        """Do the work. May raise: any exception is a failed attempt with its text as error."""
