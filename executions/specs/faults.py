"""What is wrong with a spec, and where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

FAULT_LIMIT = 1000

Location = tuple[str | int, ...]
"""Where a value lies in data, from the outside in."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong; `place` as in `tasks[3].depends_on[0]`, empty for the spec as a whole."""

    place: str
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" if self.place else self.message


class SpecInvalidError(Exception):
    """The spec has faults and nothing was saved. Correct each at its place and send it again."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        """`faults` beyond FAULT_LIMIT are counted, not listed."""
        left = len(faults) - FAULT_LIMIT
        more = [Fault("", f"and {left} more faults")] if left > 0 else []
        self.faults = [*faults[:FAULT_LIMIT], *more]
        super().__init__("\n".join(map(str, self.faults)))


class SpecTooLargeError(SpecInvalidError):
    """The text has more bytes than are taken, and was not read. Split it."""


def place_of(location: Sequence[str | int]) -> str:
    """`("tasks", 3, "depends_on", 0)` as `tasks[3].depends_on[0]`."""
    text = ""
    for step in location:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text
