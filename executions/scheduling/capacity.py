"""What may be held at once: site limits, local limits, resources, gates, worker slots.

Owns who holds how much. Knows nothing of order, states or time; what is held is always what
live attempts hold and can be counted again from them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from executions.scheduling.model import WORKERS, LimitKey

if TYPE_CHECKING:
    from executions.scheduling.runs import Demand, ExecutionRun
    from executions.scheduling.watchers import Watchers

OPEN: Final = 1 << 60
"""The size of what limits nothing: an open gate."""


Need = tuple["Limit", int, bool]
"""(limit, amount, exclusive): what one attempt takes of one limit. A plain tuple, since needs are
unpacked at every look, which takes a named one twice as long."""


class Limit:
    """One thing that tasks hold units of. `max` 0 is closed.

    `free` is what may be shared out now. `holds` counts the attempts that hold it, `alone` those
    of them that hold it exclusively (never more than one). `kept_for` are the demands it is
    reserved for; `given` are the units ever given out. `max`, `used` and `alone` change here only.
    """

    __slots__ = (
        "alone",
        "free",
        "given",
        "holds",
        "is_local",
        "kept_for",
        "key",
        "max",
        "parked",
        "seen",
        "shares",
        "used",
        "waiting",
        "watched",
        "widest",
    )

    def __init__(self, key: str, max_: int = 0, *, is_local: bool = False) -> None:
        """Nobody holds it yet."""
        self.key = key
        self.max = max_
        self.is_local = is_local
        self.used = 0
        self.holds = 0
        self.alone = 0
        self.free = max_
        self.widest = 1
        self.shares: dict[ExecutionRun, int] = {}
        self.given = 0
        self.kept_for: dict[Demand, Need] = {}
        self.waiting: dict[Demand, None] = {}
        self.watched: dict[ExecutionRun, Watchers] = {}
        self.parked: dict[ExecutionRun, dict[int, Watchers]] = {}
        self.seen: object = None

    def resize(self, max_: int) -> None:
        """There is more of it now, or less. Who holds it keeps it."""
        self.max = max_
        self.recount()

    def expect(self, amount: int) -> None:
        """Needs of that size may come: tell states of the limit apart up to there."""
        if amount > self.widest:
            self.widest = amount
            self.seen = None

    def recount(self) -> None:
        """Reckon what may be shared out now."""
        self.free = 0 if self.alone else self.max - self.used

    def has_room(self, amount: int, exclusive: bool) -> bool:  # noqa: FBT001 called for each look
        """Whether that fits beside what is held; exclusive means that nobody else holds it."""
        if exclusive:
            return self.holds == 0 and self.max > 0
        return amount <= self.free

    def could_ever_fit(self, amount: int, *, exclusive: bool) -> bool:
        """Whether it would fit if nobody held anything."""
        return self.max > 0 if exclusive else amount <= self.max

    def keeper(self, demand: Demand, amount: int, *, exclusive: bool) -> Demand | None:
        """The demand whose reservation leaves no room for this one, if there is one.

        Only reservations that come before it count, so that reservations never wait for
        each other in a circle.
        """
        kept = 0
        place = demand.reservation_place()
        for claimant, (_, wanted, alone) in self.kept_for.items():
            if claimant is demand or claimant.reservation_place() > place:
                continue
            kept += wanted
            if exclusive or alone or self.used + amount + kept > self.max:
                return claimant
        return None

    def state(self) -> object:
        """All that decides who fits: equal states, equal answers."""
        free = self.free if self.free < self.widest else self.widest  # noqa: FURB136 a call costs more
        plain = free * 2 + (self.holds == 0)
        return (plain, self.used, self.max, *self.kept_for) if self.kept_for else plain

    def usage(self) -> tuple[int, int]:
        """Units used and units in all; alone means all of them."""
        return (max(self.used, self.max) if self.alone else self.used, self.max)


def take(needs: Iterable[Need], by: ExecutionRun) -> None:
    """Hold units of every limit needed for one attempt."""
    for limit, amount, exclusive in needs:
        limit.holds += 1
        limit.used += amount
        if exclusive:
            limit.alone += 1
            limit.recount()
            limit.given += limit.max
        else:
            limit.free -= amount
            limit.given += amount
        if not limit.is_local:
            limit.shares[by] = limit.shares.get(by, 0) + 1


def release(needs: Iterable[Need], by: ExecutionRun) -> None:
    """Give back what one attempt held."""
    for limit, amount, exclusive in needs:
        limit.holds -= 1
        limit.used -= amount
        if exclusive:
            limit.alone -= 1
        limit.free = 0 if limit.alone else limit.max - limit.used
        if not limit.is_local:
            limit.shares[by] -= 1


class WorkerPool(Limit):
    """The slots of all worker processes as one limit.

    `max` is what is used plus what is free, so that slots of a worker that is gone, or has
    fewer than it holds, make room for nobody.
    """

    __slots__ = ("_slots", "_used")

    def __init__(self) -> None:
        """No worker is known yet."""
        super().__init__(WORKERS)
        self._slots: dict[str, int] = {}
        self._used: dict[str, int] = {}

    def replace(self, slots: Mapping[str, int]) -> None:
        """Take over which workers accept work, and how much each."""
        self._slots = dict(slots)
        self.resize(self.used + self.counted_free())

    def choose(self) -> str:
        """The worker with most free slots; by name among equals. Asked only where one is free."""
        used = self._used
        if len(self._slots) == 1:
            return next(iter(self._slots))
        return min((used.get(name, 0) - n, name) for name, n in self._slots.items())[1]

    def occupy(self, name: str) -> None:
        """An attempt goes to the worker; `take` has counted it."""
        used = self._used[name] = self._used.get(name, 0) + 1
        if used > self._slots.get(name, 0):
            self.resize(self.max + 1)

    def vacate(self, name: str) -> None:
        """An attempt on the worker ended; `release` has counted it."""
        used = self._used[name]
        if used > self._slots.get(name, 0):
            self.resize(self.max - 1)
        if used > 1:
            self._used[name] = used - 1
        else:
            del self._used[name]

    def usage(self) -> tuple[int, int]:
        """Slots used and slots of the workers that are there."""
        return (self.used, sum(self._slots.values()))

    def counted_free(self) -> int:
        """Free slots, counted worker by worker."""
        return sum(max(0, n - self._used.get(name, 0)) for name, n in self._slots.items())


class Capacity:
    """Every limit the site has or a task names. What the site does not have is closed."""

    def __init__(self) -> None:
        """All closed."""
        self.workers = WorkerPool()
        self.limits: dict[str, Limit] = {WORKERS: self.workers}

    def site(self, key: LimitKey) -> Limit:
        """The site's limit of that key; one it has not is closed until it is told of."""
        return self.limits.setdefault(key, Limit(key))

    def replace(self, limits: Mapping[LimitKey, int]) -> Iterable[Limit]:
        """Take over all limits as they are now; answers those that changed."""
        for key, limit in list(self.limits.items()):
            if key in limits or limit is self.workers or limit.is_local:
                continue
            if limit.max:
                limit.resize(0)
                yield limit
        for key, max_ in limits.items():
            limit = self.site(key)
            if limit.max != max_:
                limit.resize(max_)
                yield limit
