"""Runners that do no work of their own: for tests, measurements, and rehearsals of a plan."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, ClassVar

from executions.runners.base import Context, End, Outcome

Fault = tuple[str, str]


def unknown_keys(payload: Mapping[str, Any], known: set[str]) -> list[Fault]:
    """A fault for every key a runner does not know."""
    return [(key, "not known to this runner") for key in payload if key not in known]


def check_number(payload: Mapping[str, Any], key: str, *, at_least: float = 0.0) -> list[Fault]:
    """A fault if a key is given and is no number from `at_least` up."""
    value = payload.get(key, at_least)
    if isinstance(value, str) and "${" in value:
        return []
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= at_least:
        return [(key, f"must be a number of at least {at_least:g}")]
    return []


class Noop:
    """Completes at once."""

    name: ClassVar[str] = "noop"
    dangerous: ClassVar[bool] = False

    def check(self, payload: Mapping[str, Any]) -> list[Fault]:
        """Takes nothing."""
        return unknown_keys(payload, set())

    def run(self, payload: Mapping[str, Any], context: Context) -> Outcome:  # noqa: ARG002
        """Nothing to do."""
        return Outcome(End.COMPLETED, result={})


class Sleep:
    """Waits `seconds`, then completes, or fails with `fail_with`.

    With `fail_times` only that many first attempts fail.
    """

    name: ClassVar[str] = "sleep"
    dangerous: ClassVar[bool] = False

    def check(self, payload: Mapping[str, Any]) -> list[Fault]:
        """Numbers from 0 up and a text."""
        faults = unknown_keys(payload, {"seconds", "fail_with", "fail_times"})
        faults += check_number(payload, "seconds") + check_number(payload, "fail_times")
        if not isinstance(payload.get("fail_with", ""), str):
            faults.append(("fail_with", "must be text"))
        return faults

    def run(self, payload: Mapping[str, Any], context: Context) -> Outcome:
        """Wait, unless stopped or out of time."""
        seconds = float(payload.get("seconds", 0))
        begun = time.monotonic()
        if context.stop.wait(min(seconds, context.timeout_s)):
            return Outcome(End.CANCELLED)
        if seconds > context.timeout_s:
            return Outcome(End.TIMED_OUT, error="Timeout exceeded")
        error = payload.get("fail_with", "")
        if error and context.attempt <= payload.get("fail_times", context.attempt):
            return Outcome(End.FAILED, error=error)
        return Outcome(End.COMPLETED, result={"slept_s": round(time.monotonic() - begun, 3)})
