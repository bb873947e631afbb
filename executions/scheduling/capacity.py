"""What may be held at once: site limits, local limits, resources, gates, worker slots.

Owns who holds how much. Knows nothing of order, states or time; what is held is always what
live attempts hold and can be counted again from them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from executions.scheduling.model import WORKERS, LimitKey

if TYPE_CHECKING:
    from executions.scheduling.runs import Demand, ExecutionRun
    from executions.scheduling.watchers import Watchers

OPEN: Final = 1 << 60
"""The size of what limits nothing: an open gate."""


class Share:
    """How many attempts of one execution hold one limit."""

    __slots__ = ("held",)

    def __init__(self) -> None:
        """None."""
        self.held = 0


Need = tuple["Limit", int, bool, Share]
"""(limit, amount, exclusive, share): what one attempt takes of one limit, at least one unit. A
plain tuple, since needs are unpacked at every look, which takes a named one twice as long."""


class Line:
    """The demands that wait and need the same of one limit."""

    __slots__ = ("amount", "exclusive", "is_short", "key", "waiting")

    def __init__(self, limit: Limit, amount: int, *, exclusive: bool) -> None:
        """Nobody waits."""
        self.key = limit.key
        self.amount = amount
        self.exclusive = exclusive
        self.is_short = not limit.has_room(amount, exclusive)
        """Whether the limit has no room for that, as was seen last."""
        self.waiting: dict[Demand, None] = {}


class Limit:
    """One thing that tasks hold units of. `max` 0 is closed.

    `free` is what may be shared out now: nothing while one attempt holds it alone. `kept_for`
    are the demands it is reserved for; `given` are the units ever given out. `max`, `free` and
    `is_alone` change here only.
    """

    __slots__ = (
        "free",
        "given",
        "is_alone",
        "is_kept",
        "is_local",
        "kept_for",
        "key",
        "lines",
        "max",
        "parked",
        "seen",
        "shares",
        "watched",
    )

    def __init__(self, key: str, max_: int = 0, *, is_local: bool = False) -> None:
        """Nobody holds it yet."""
        self.key = key
        self.max = max_
        self.is_local = is_local
        self.is_alone = False
        self.free = max_
        self.shares: dict[ExecutionRun, Share] = {}
        self.given = 0
        self.kept_for: dict[Demand, Need] = {}
        self.lines: dict[tuple[int, bool], Line] = {}
        self.watched: dict[ExecutionRun, Watchers] = {}
        self.parked: dict[ExecutionRun, dict[int, Watchers]] = {}
        self.is_kept = False
        """Whether it is reserved, or was when the lines were last looked at."""
        self.seen: int | None = None
        """What was free when the lines were last looked at; None: look again, whatever is free."""

    def resize(self, max_: int) -> None:
        """There is more of it now, or less. Who holds it keeps it."""
        if not self.is_alone:
            self.free += max_ - self.max
        self.max = max_
        self.seen = None

    @property
    def used(self) -> int:
        """Units held; by one that holds it alone, one."""
        return 1 if self.is_alone else self.max - self.free

    def need(self, amount: int, by: ExecutionRun, *, exclusive: bool) -> Need:
        """What an attempt of the execution takes of it."""
        return (self, amount, exclusive, self.shares.setdefault(by, Share()))

    def line(self, amount: int, *, exclusive: bool) -> Line:
        """Where those who need that of it wait."""
        found = self.lines.get((amount, exclusive))
        if found is None:
            found = self.lines[amount, exclusive] = Line(self, amount, exclusive=exclusive)
            self.seen = None
        return found

    def has_room(self, amount: int, exclusive: bool) -> bool:  # noqa: FBT001 called for each look
        """Whether that fits beside what is held; exclusive means that nobody else holds it."""
        if exclusive:
            return self.free == self.max > 0
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
        for claimant, (_, wanted, alone, _) in self.kept_for.items():
            if claimant is demand or claimant.reservation_place() > place:
                continue
            kept += wanted
            if exclusive or alone or self.used + amount + kept > self.max:
                return claimant
        return None

    def waiting(self) -> Iterator[Demand]:
        """All that wait and need of it."""
        for line in self.lines.values():
            yield from line.waiting

    def look_again(self) -> dict[Demand, None]:
        """Those for whom it has room now and had none when this was last asked, or otherwise.

        While it is reserved for somebody, and when it ceases to be, all that wait.
        """
        self.seen = self.free
        concerned: dict[Demand, None] = {}
        for line in self.lines.values():
            is_short = line.amount > self.free or (
                line.exclusive and not self.has_room(line.amount, exclusive=True)
            )
            if is_short is not line.is_short:
                line.is_short = is_short
                concerned.update(line.waiting)
        if self.is_kept:
            self.is_kept = bool(self.kept_for)
            concerned.update(dict.fromkeys(self.waiting()))
        return concerned

    def keep_for(self, demand: Demand, need: Need) -> None:
        """Reserve it."""
        self.kept_for[demand] = need
        self.is_kept = True

    def keep_no_more(self, demand: Demand) -> None:
        """Drop the reservation."""
        del self.kept_for[demand]

    def usage(self) -> tuple[int, int]:
        """Units used and units in all; alone means all of them."""
        return (max(1, self.max) if self.is_alone else self.max - self.free, self.max)


def take(needs: Iterable[Need]) -> None:
    """Hold units of every limit needed for one attempt."""
    for limit, amount, exclusive, share in needs:
        share.held += 1
        if exclusive:
            limit.is_alone = True
            limit.free = 0
            limit.given += limit.max
        else:
            limit.free -= amount
            limit.given += amount


def release(needs: Iterable[Need]) -> None:
    """Give back what one attempt held."""
    for limit, amount, exclusive, share in needs:
        share.held -= 1
        if exclusive:
            limit.is_alone = False
            limit.free = limit.max
        else:
            limit.free += amount


class WorkerPool:
    """The worker processes: who has free slots. Together they are one limit.

    Its `max` is what is used plus what is free, so that slots of a worker that is gone, or has
    fewer than it holds, make room for nobody.
    """

    __slots__ = ("_slots", "_used", "limit")

    def __init__(self) -> None:
        """No worker is known yet."""
        self.limit = Limit(WORKERS)
        self._slots: dict[str, int] = {}
        self._used: dict[str, int] = {}

    def replace(self, slots: Mapping[str, int]) -> None:
        """Take over which workers accept work, and how much each."""
        self._slots = dict(slots)
        self.limit.resize(self.limit.used + self.counted_free())

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
            self.limit.resize(self.limit.max + 1)

    def vacate(self, name: str) -> None:
        """An attempt on the worker ended; `release` has counted it."""
        used = self._used[name]
        if used > self._slots.get(name, 0):
            self.limit.resize(self.limit.max - 1)
        if used > 1:
            self._used[name] = used - 1
        else:
            del self._used[name]

    def usage(self) -> tuple[int, int]:
        """Slots used and slots of the workers that are there."""
        return (self.limit.used, sum(self._slots.values()))

    def counted_free(self) -> int:
        """Free slots, counted worker by worker."""
        return sum(max(0, n - self._used.get(name, 0)) for name, n in self._slots.items())


class Capacity:
    """Every limit the site has or a task names. What the site does not have is closed."""

    def __init__(self) -> None:
        """All closed."""
        self.workers = WorkerPool()
        self.limits: dict[str, Limit] = {WORKERS: self.workers.limit}

    def site(self, key: LimitKey) -> Limit:
        """The site's limit of that key; one it has not is closed until it is told of."""
        return self.limits.setdefault(key, Limit(key))

    def usage(self) -> dict[LimitKey, tuple[int, int]]:
        """(used, max) of every limit of the site."""
        found = {LimitKey(key): limit.usage() for key, limit in self.limits.items()}
        found[WORKERS] = self.workers.usage()
        return found

    def replace(self, limits: Mapping[LimitKey, int]) -> Iterable[Limit]:
        """Take over all limits as they are now; answers those that changed."""
        for key, limit in list(self.limits.items()):
            if key in limits or limit is self.workers.limit:
                continue
            if limit.max:
                limit.resize(0)
                yield limit
        for key, max_ in limits.items():
            limit = self.site(key)
            if limit.max != max_:
                limit.resize(max_)
                yield limit
