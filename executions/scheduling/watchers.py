"""Where blocked demands wait to be found again: heaps of their heads, and when they are due.

Owns those heaps. Knows nothing of why a demand waits there or what becomes of it.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from executions.scheduling.runs import Demand, ExecutionRun

NEVER: Final = 1 << 62
"""More units than are ever given back."""


class Watchers:
    """The demands of one execution that are found again together, once a line has room."""

    __slots__ = ("bit", "execution", "heap")

    def __init__(self, execution: ExecutionRun, bit: int) -> None:
        """Nobody watches. `bit` is the line that has to have room for them; 0: none has to."""
        self.execution = execution
        self.bit = bit
        self.heap: list[int] = []
        """Orders of heads. One counts while its demand watches here with that head."""


class Dues:
    """Demands that are to be looked at, room or not, once so much of a limit was given back."""

    __slots__ = ("_due", "_known", "_numbers")

    def __init__(self) -> None:
        """None."""
        self._due: list[tuple[int, int, Demand]] = []
        self._known: set[Demand] = set()
        """Those with an entry in `_due`: never two, and one too early costs no more than a look."""
        self._numbers = 0

    def add(self, demand: Demand, at: int) -> None:
        """The demand is due once so many units were given back."""
        if demand not in self._known:
            self._known.add(demand)
            self._numbers += 1
            heapq.heappush(self._due, (at, self._numbers, demand))

    def next(self) -> int:
        """When the first is due."""
        return self._due[0][0] if self._due else NEVER

    def take(self, returned: int) -> Iterator[Demand]:
        """Those that are due once so much was given back, once each."""
        while self._due and self._due[0][0] <= returned:
            demand = heapq.heappop(self._due)[2]
            self._known.discard(demand)
            yield demand

    def forget(self, execution: ExecutionRun) -> None:
        """Nothing of the execution is due any more."""
        if any(demand.execution is execution for demand in self._known):
            self._known = {demand for demand in self._known if demand.execution is not execution}
            self._due = [entry for entry in self._due if entry[2] in self._known]
            heapq.heapify(self._due)
