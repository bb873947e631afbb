"""What may be held at once: site limits, local limits, resources, gates, worker slots.

Owns who holds how much. Knows nothing of order, states or time; what is held is always what
live attempts hold and can be counted again from them.

What demands need alike of one limit is a line, and a line is one bit. Which lines have no room
is one number, so that what a demand lacks, and what has changed, is found in one step each,
however many limits there are.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from executions.scheduling.model import WORKERS, LimitKey
from executions.scheduling.watchers import NEVER, Dues

if TYPE_CHECKING:
    from executions.scheduling.runs import Demand, ExecutionRun
    from executions.scheduling.watchers import Watchers

TURNOVERS: Final = 4
"""Of a limit that is needed whole; times the square of capacity over need."""
OPEN: Final = 1 << 60
"""The size of what limits nothing: an open gate."""
RESERVED: Final = 1
"""The bit that is no line's: what is needed is kept for somebody else."""


Need = tuple["Limit", int, bool]
"""(limit, amount, exclusive): what one attempt takes of one limit, at least one unit. A plain
tuple, since needs are unpacked at every look, which takes a named one twice as long."""


class Line:
    """The demands that need the same of one limit."""

    __slots__ = ("amount", "bit", "exclusive", "is_wide", "limit", "turns", "waiting", "watchers")

    def __init__(self, limit: Limit, amount: int, bit: int, *, exclusive: bool) -> None:
        """Nobody waits."""
        self.limit = limit
        self.amount = amount
        self.exclusive = exclusive
        self.bit = bit
        self.is_wide = exclusive or amount > 1
        """Whether smaller needs of the same limit could keep it from ever having room."""
        self.turns = 0
        """How much has to be given back in vain before the limit is kept for such a need."""
        self.waiting: dict[Demand, None] = {}
        """Demands that wait, for this or for something else that they need."""
        self.watchers: dict[ExecutionRun, Watchers] = {}
        """Those that are found again once it has room."""

    def reckon_turns(self) -> None:
        """The limit has another size."""
        most = self.limit.max
        units = max(1, most if self.exclusive else self.amount)
        self.turns = -(-TURNOVERS * most * most * most // (units * units))

    def could_ever_have_room(self) -> bool:
        """Whether it would have room if nobody held anything."""
        return self.limit.max > 0 if self.exclusive else self.amount <= self.limit.max


class Board:
    """All lines, and which of them have no room now."""

    __slots__ = ("_spare", "called", "lines", "short")

    def __init__(self) -> None:
        """No lines."""
        self.short = 0
        """The lines without room, as a sum of bits."""
        self.lines: dict[int, Line] = {}
        self.called: dict[Limit, None] = {}
        """Limits that somebody is to look at, whether there is room for all of a need or not."""
        self._spare: list[int] = []

    def line(self, limit: Limit, amount: int, *, exclusive: bool) -> Line:
        """A new line."""
        bit = self._spare.pop() if self._spare else RESERVED << (len(self.lines) + 1)
        line = self.lines[bit] = Line(limit, amount, bit, exclusive=exclusive)
        return line

    def forget(self, limit: Limit) -> None:
        """The limit is gone; its bits become others'."""
        self.short &= ~limit.bits
        self.called.pop(limit, None)
        for line in limit.lines.values():
            del self.lines[line.bit]
            self._spare.append(line.bit)


class Limit:
    """One thing that tasks hold units of. `max` 0 is closed.

    `free` is what may be shared out now: nothing while one attempt holds it alone. `returned` are
    the units ever given back while one of its lines had no room. `kept_for` are the demands it is
    reserved for. `max`, `free`, `returned` and `is_alone` change in this module only.
    """

    __slots__ = (
        "_alone_bit",
        "_amounts",
        "_wider",
        "bits",
        "board",
        "call_at",
        "callers",
        "dues",
        "free",
        "held",
        "is_alone",
        "is_local",
        "kept_for",
        "key",
        "lines",
        "max",
        "returned",
        "tight",
    )

    def __init__(self, key: str, max_: int, board: Board, *, is_local: bool = False) -> None:
        """Nobody holds it yet."""
        self.key = key
        self.max = max_
        self.board = board
        self.is_local = is_local
        self.is_alone = False
        self.free = max_
        self.returned = 0
        self.held: dict[ExecutionRun, int] = {}
        """How many attempts of each execution hold it, while several compete for a site limit."""
        self.kept_for: dict[Demand, Need] = {}
        self.lines: dict[tuple[int, bool], Line] = {}
        self.bits = 0
        """Its lines, as a sum of bits."""
        self.tight = 0
        """With less free than that, some line may have no room."""
        self._alone_bit = 0
        self._amounts: list[int] = []
        self._wider = [0]
        """The lines that need more than `_amounts[i - 1]`."""
        self.callers: dict[ExecutionRun, Watchers] = {}
        """Those that are found again whenever units are given back."""
        self.dues = Dues()
        self.call_at = NEVER
        """Once so many units were given back, somebody is to look."""

    @property
    def used(self) -> int:
        """Units held; by one that holds it alone, one."""
        return 1 if self.is_alone else self.max - self.free

    def resize(self, max_: int) -> None:
        """There is more of it now, or less. Who holds it keeps it."""
        if not self.is_alone:
            self.free += max_ - self.max
        self.max = max_
        for line in self.lines.values():
            line.reckon_turns()
        self.note()

    def line(self, amount: int, *, exclusive: bool) -> Line:
        """The line of those who need that of it."""
        found = self.lines.get((amount, exclusive))
        if found is not None:
            return found
        found = self.lines[amount, exclusive] = self.board.line(self, amount, exclusive=exclusive)
        self.bits |= found.bit
        if exclusive:
            self._alone_bit |= found.bit
        self._amounts = sorted({amount for amount, alone in self.lines if not alone})
        self._wider = [
            sum(
                line.bit
                for line in self.lines.values()
                if not line.exclusive and line.amount > least
            )
            for least in (-OPEN, *self._amounts)
        ]
        self.tight = NEVER if self._alone_bit else self._amounts[-1]
        found.reckon_turns()
        self.note()
        return found

    def shortage(self) -> int:
        """Which of its lines have no room; alone means that nobody else holds any of it."""
        short = self._wider[bisect_right(self._amounts, self.free)]
        if self._alone_bit and not self.free == self.max > 0:
            short |= self._alone_bit
        return short

    def note(self) -> None:
        """Note on the board which of its lines have no room."""
        board = self.board
        board.short = board.short & ~self.bits | self.shortage()

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

    def waiting(self) -> Iterator[Demand]:
        """All that wait and need of it."""
        for line in self.lines.values():
            yield from line.waiting

    def add_due(self, demand: Demand, at: int) -> None:
        """Look at the demand, which watches one of its lines, once so much was given back."""
        self.dues.add(demand, at)
        self.call_at = min(self.call_at, at)

    def call(self) -> None:
        """Let those look who are to be asked whenever there is more of it."""
        self.board.called[self] = None

    def usage(self) -> tuple[int, int]:
        """Units used and units in all; alone means all of them."""
        return (max(1, self.max) if self.is_alone else self.max - self.free, self.max)


def take(shared: Iterable[tuple[Limit, int]], alone: Iterable[Limit], board: Board) -> None:
    """Hold units of every limit that one attempt shares, and what it needs for itself."""
    for limit, amount in shared:
        free = limit.free = limit.free - amount
        if free < limit.tight:
            board.short |= limit.shortage()
    for limit in alone:
        limit.is_alone = True
        limit.free = 0
        board.short |= limit.shortage()


def release(shared: Iterable[tuple[Limit, int]], alone: Iterable[Limit], board: Board) -> None:
    """Give back what one attempt held."""
    for limit in alone:
        limit.is_alone = False
    for limit, amount in [*shared, *((one, one.max) for one in alone)] if alone else shared:
        before = limit.free
        limit.free = before + amount
        if before < limit.tight:
            board.short = board.short & ~limit.bits | limit.shortage()
            returned = limit.returned = limit.returned + amount
            if returned >= limit.call_at:
                board.called[limit] = None


class WorkerPool:
    """The worker processes: who has free slots. Together they are one limit.

    Its `max` is what is used plus what is free, so that slots of a worker that is gone, or has
    fewer than it holds, make room for nobody.
    """

    __slots__ = ("_slots", "_used", "limit")

    def __init__(self, board: Board) -> None:
        """No worker is known yet."""
        self.limit = Limit(WORKERS, 0, board)
        self._slots: dict[str, int] = {}
        self._used: dict[str, int] = {}

    def replace(self, slots: Mapping[str, int]) -> None:
        """Take over which workers accept work, and how much each."""
        self._slots = dict(slots)
        self.limit.resize(self.limit.used + self.counted_free())

    def seat(self) -> str:
        """Occupy the worker with most free slots, by name among equals; one is free. Its name."""
        used = self._used
        if len(self._slots) == 1:
            (name,) = self._slots
        else:
            name = min((used.get(name, 0) - n, name) for name, n in self._slots.items())[1]
        used[name] = used.get(name, 0) + 1
        return name

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
        self.board = Board()
        self.workers = WorkerPool(self.board)
        self.limits: dict[str, Limit] = {WORKERS: self.workers.limit}

    def site(self, key: LimitKey) -> Limit:
        """The site's limit of that key; one it has not is closed until it is told of."""
        found = self.limits.get(key)
        if found is None:
            found = self.limits[key] = Limit(key, 0, self.board)
        return found

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
