"""Where blocked demands wait to be found again: heaps of their heads, by limit and room wanted.

Owns those heaps. Knows nothing of why a demand waits there or what becomes of it.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from executions.scheduling.capacity import Limit
    from executions.scheduling.runs import Demand, ExecutionRun

ALONE: Final = 0
"""Room for one that nobody else may hold the limit beside."""
ANY: Final = 1
"""The least room there is: to be looked at whenever the limit has something to give."""


class Watchers:
    """The demands of one execution that are found again when the limit has so much room.

    Those that wait for more than ANY are parked: with less room a look at them would change
    nothing before so many units of the limit were given out that they count as passed over.
    """

    __slots__ = ("_due", "_known", "execution", "heap", "limit", "room")

    def __init__(self, limit: Limit, execution: ExecutionRun, room: int) -> None:
        """Nobody watches."""
        self.limit = limit
        self.execution = execution
        self.room = room
        self.heap: list[int] = []
        """Orders of heads. One counts while its demand watches here with that head."""
        self._due: list[tuple[int, int, Demand]] = []
        self._known: set[Demand] = set()
        """Those with an entry in `_due`: never two, and one too early costs no more than a look."""

    def has_room(self) -> bool:
        """Whether the limit has as much to give as they wait for."""
        if self.room:
            return self.limit.free >= self.room
        return self.limit.has_room(self.room, exclusive=True)

    def park(self, demand: Demand, due: int) -> None:
        """Take the demand in; look at it, room or not, when so much was given out."""
        demand.watching = self
        heapq.heappush(self.heap, demand.queue[0])
        if demand not in self._known:
            self._known.add(demand)
            heapq.heappush(self._due, (due, demand.number, demand))

    def is_due(self, given: int) -> bool:
        """Whether a parked demand is to be looked at once so much was given out."""
        return bool(self._due) and self._due[0][0] <= given

    def due(self, given: int) -> Iterator[Demand]:
        """The parked demands that are to be looked at once so much was given out; once each."""
        waiting = self._due
        while waiting and waiting[0][0] <= given:
            demand = heapq.heappop(waiting)[2]
            self._known.discard(demand)
            if demand.watching is self:
                yield demand


def watchers_of(limit: Limit, execution: ExecutionRun) -> Watchers:
    """Those of the execution that wait for any room."""
    found = limit.watched.get(execution)
    if found is None:
        found = limit.watched[execution] = Watchers(limit, execution, ANY)
    return found


def parked_at(limit: Limit, execution: ExecutionRun, room: int) -> Watchers:
    """Those of the execution that are parked until there is so much room."""
    by_room = limit.parked.setdefault(execution, {})
    found = by_room.get(room)
    if found is None:
        found = by_room[room] = Watchers(limit, execution, room)
    return found
