"""What happened to task runs and why, for people who look for a contradiction.

Owns how much of it is remembered. Decides nothing.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Final, NamedTuple

LINES: Final = 20_000
"""How much of what happened is remembered, over all executions."""
WIDTH: Final = 6
"""When, execution, task, start, finish, why."""


class StoryLine(NamedTuple):
    """One thing that happened to a task run, and why."""

    at: float
    execution: str
    task: str
    what: str
    why: str


class InvariantBroken(AssertionError):  # noqa: N818 named for what happened
    """The scheduler contradicts itself. Forget the machine and load it again; report the story."""

    def __init__(self, problem: str, story: list[StoryLine] | None = None) -> None:
        """`story` is what happened to the task concerned."""
        lines = [f"  {line.at:.3f} {line.task}: {line.what} ({line.why})" for line in story or []]
        super().__init__("\n".join([problem, *lines]))


class Story:
    """The last changes of state of all task runs."""

    def __init__(self) -> None:
        """Nothing happened."""
        self._told: deque[Any] = deque(maxlen=LINES * WIDTH)
        """Lines one after another, not as tuples: those would wait for the garbage collector."""
        self.tell = self._told.extend
        """Takes one line: (when, execution, task, start, finish, why)."""

    def of(self, execution: str, task: str) -> list[StoryLine]:
        """What is remembered of the task run, oldest first."""
        return [
            StoryLine(at, execution, task, f"{start} → {finish}", str(why))
            for at, execution_, task_, start, finish, why in zip(
                *[iter(self._told)] * WIDTH, strict=True
            )
            if task_ == task and execution_ == execution
        ]
