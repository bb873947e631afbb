"""Work that a person or an outside agent of the team takes, does, and answers for.

No worker ever runs it: it is claimed, and ended, through REST or the page.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from executions.runners.base import Context, End, Outcome


class External:
    """Holds its limits while somebody else works."""

    name: ClassVar[str] = "external"
    dangerous: ClassVar[bool] = False

    def check(self, payload: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Instructions are required; anything else is passed on to who takes it."""
        instructions = payload.get("instructions")
        if not isinstance(instructions, str) or not instructions.strip():
            return [("instructions", "required: what is to be done, as text")]
        return []

    def run(self, payload: Mapping[str, Any], context: Context) -> Outcome:  # noqa: ARG002
        """Never called by a lane."""
        return Outcome(
            End.FAILED, error="external work is claimed, not run by workers", retryable=False
        )
