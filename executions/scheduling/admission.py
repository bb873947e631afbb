"""Who starts next: queues of demands, watched lines, sharing, reservations.

A blocked demand watches one line that has no room for it and is looked at again only when there
is some. Owns the order of admission; knows nothing of attempts.

Reservations. When a demand's head is looked at in its turn and does not fit, a note is taken of
how much of each limit that it lacks was given back so far. Once every limit that it waits for has
since changed hands `TURNOVERS` times over (16 times for half of a limit, 64 for a quarter: a small
need soon fits by itself), it reserves those limits: from then on, what it needs of them is kept
from all that come after it, which those of higher priority do not. A limit that does not change
hands is never reserved, so nothing stands idle for a task that waits for something else that may
take days. Reservations are ordered (priority, then age) and only an earlier one holds up a later
one, so they cannot wait for each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from heapq import heappop, heappush
from typing import Final

from executions.scheduling.capacity import Capacity, Limit, Line, Need, release, take
from executions.scheduling.model import TaskState
from executions.scheduling.runs import Demand, ExecutionRun, Lack, TaskRun
from executions.scheduling.watchers import NEVER, Watchers

NOT_DUE: Final = -1
"""It is enough to look when there is room."""

_Top = tuple[tuple[int, ...], int, Watchers]
"""(place, order, watchers): where the first of the watchers stands; no two demands are equal."""


_KeptOut = list[tuple[Demand, Limit]]
"""Demands looked at in a pass, and the limits that are kept for others."""


class Admission:
    """The queues of all open executions over one capacity."""

    def __init__(self, capacity: Capacity) -> None:
        """Nothing is queued."""
        self._capacity = capacity
        self.board = capacity.board
        self.settled = 0
        """The lines that had no room when waits were last settled."""
        self._watched = 0
        """Lines that somebody may watch, as a sum of bits."""
        self._fresh: dict[ExecutionRun, None] = {}
        """Executions with demands that are to be looked at, whatever is freed."""
        self._reservation_numbers = 0
        self._executions: dict[ExecutionRun, None] = {}
        self._is_shared = False
        """Whether several executions compete, so that it counts who holds how much."""
        self.reservations = 0
        """How many demands have a reservation now."""
        self.kept: dict[Limit, int | None] = {}
        """Limits that are reserved, or were when waits were last settled: what was free then."""
        self.touched: dict[Demand, None] = {}
        """Demands whose queue changed since waits were last settled."""
        self.untold: dict[Demand, None] = {}
        """Demands that may wait for something else, or in another number, than was told last."""

    # ------------------------------------------------------------ executions

    def open(self, execution: ExecutionRun) -> None:
        """One more execution competes; it holds nothing yet."""
        self._executions[execution] = None
        if len(self._executions) > 1 and not self._is_shared:
            self._is_shared = True
            for limit in self._capacity.limits.values():
                limit.held = {}
            for other in self._executions:
                for run in other.live.values():
                    _count_held(run.demand, 1)

    def close(self, execution: ExecutionRun) -> None:
        """Forget an execution that has nothing queued and holds nothing."""
        del self._executions[execution]
        self._is_shared = len(self._executions) > 1
        self._fresh.pop(execution, None)
        for demand in execution.demands:
            self.unreserve(demand)
        self._forget_watchers(execution)
        for limit in _limits_of(execution):
            limit.held.pop(execution, None)
            if limit.is_local:
                self.kept.pop(limit, None)
                self._watched &= ~limit.bits
                self.board.forget(limit)

    def reorder(self, execution: ExecutionRun) -> None:
        """The execution's order is another now: queue all again."""
        execution.fresh.heap.clear()
        self._forget_watchers(execution)
        for demand in execution.demands:
            demand.queue.clear()
            demand.watching = None
            self.unreserve(demand)
        for run in execution.by_order:
            if run.state is TaskState.QUEUED:
                heappush(run.demand.queue, run.order)
        for demand in execution.demands:
            if demand.queued:
                self._look_at(demand)

    @staticmethod
    def _forget_watchers(execution: ExecutionRun) -> None:
        for limit in _limits_of(execution):
            limit.callers.pop(execution, None)
            limit.dues.forget(execution)
            for line in limit.lines.values():
                line.watchers.pop(execution, None)

    # ------------------------------------------------------------ queues

    def enqueue(self, run: TaskRun) -> None:
        """The task run could start."""
        demand = run.demand
        heappush(demand.queue, run.order)
        demand.queued += 1
        self.touched[demand] = None
        if demand.queue[0] == run.order:
            if demand.watching is None or (self.reservations and _kept_by_any(demand)):
                self._look_at(demand)
            else:
                heappush(demand.watching.heap, run.order)

    def dequeue(self, run: TaskRun) -> None:
        """The task run is not queued any more; its state says so already."""
        demand = run.demand
        demand.queued -= 1
        self.touched[demand] = None
        head = demand.head()
        if head is None:
            demand.watching = None
            self.unreserve(demand)
        elif head.order > run.order:
            self.unreserve(demand)
            self._look_at(demand)

    def _look_at(self, demand: Demand) -> None:
        """Look at the demand's head at the next opportunity."""
        execution = demand.execution
        demand.watching = execution.fresh
        heappush(execution.fresh.heap, demand.queue[0])
        self._fresh[execution] = None

    @staticmethod
    def _await_call(demand: Demand, limit: Limit) -> None:
        """Let the demand's head be found again whenever units of the limit are given back."""
        execution = demand.execution
        watchers = limit.callers.get(execution)
        if watchers is None:
            any_room = limit.line(1, exclusive=False).bit
            watchers = limit.callers[execution] = Watchers(execution, any_room)
        demand.watching = watchers
        heappush(watchers.heap, demand.queue[0])
        limit.call_at = 0

    # ------------------------------------------------------------ capacity

    def admit(self, run: TaskRun) -> str:
        """The first of its demand leaves the queue and takes its slot; answers its worker.

        That is empty for work outside the workers.
        """
        demand = run.demand
        heappop(demand.queue)
        demand.queued -= 1
        self.touched[demand] = None
        if demand.reservation:
            self.unreserve(demand)
        demand.seen.clear()
        take(demand.shared, demand.alone, self.board)
        if self._is_shared:
            _count_held(demand, 1)
        run.worker = self._capacity.workers.seat() if demand.needs_worker else ""
        return run.worker

    def take(self, run: TaskRun) -> None:
        """The task run holds its slot from now on."""
        demand = run.demand
        take(demand.shared, demand.alone, self.board)
        if self._is_shared:
            _count_held(demand, 1)
        if demand.needs_worker:
            self._capacity.workers.occupy(run.worker)

    def release(self, run: TaskRun) -> None:
        """The task run's slot is free again."""
        demand = run.demand
        release(demand.shared, demand.alone, self.board)
        if self.reservations:
            for limit in demand.limits:
                if limit.callers:
                    limit.call()
        if self._is_shared:
            _count_held(demand, -1)
        if demand.needs_worker:
            self._capacity.workers.vacate(run.worker)

    def resized(self, limit: Limit) -> None:
        """There is more of the limit, or less: how long its demands wait counts anew."""
        self._call_due(limit, NEVER)
        limit.call()

    # ------------------------------------------------------------ admission

    def admit_all(self, start: Callable[[TaskRun], None]) -> None:
        """Start each task run that may start now, best first."""
        self._admit(self._listed_tops(), start)
        while self.board.called:  # to admit makes no room, but a reservation has ended
            self._admit(self._listed_tops(), start)

    def _admit(self, tops: list[_Top], start: Callable[[TaskRun], None]) -> None:
        """The same among those listed, and what comes after them."""
        board = self.board
        kept_out: _KeptOut = []
        while tops:
            place, order, watchers = heappop(tops)
            heap = watchers.heap
            if watchers.bit & board.short or not heap or heap[0] != order:
                continue
            run = watchers.execution.by_order[order]
            demand = run.demand
            # places only get worse while tasks are admitted: to look again at the best is enough
            if place and self._place(demand) != place:
                self._list_first(tops, watchers)
                continue
            heappop(heap)
            demand.watching = None
            blocker = self._blocker(demand)
            if blocker is None:
                start(run)
                if demand.queued and demand.head() is not None:
                    blocker = self._blocker(demand)
                    if blocker is None:
                        self._look_at(demand)
                        self._list_first(tops, demand.execution.fresh)
            if blocker is not None:
                self._pass_over(demand, blocker, kept_out)
            if heap and not watchers.bit & board.short:
                self._list_first(tops, watchers)
        for demand, limit in kept_out:
            self._await_call(demand, limit)

    def _listed_tops(self) -> list[_Top]:
        """What is fresh, and the first of all watchers of lines that have room."""
        board = self.board
        tops: list[_Top] = []
        if self._fresh:
            for execution in self._fresh:
                self._list_first(tops, execution.fresh)
            self._fresh = {}
        if board.called:
            for limit in board.called:
                self._answer_call(tops, limit)
            board.called = {}
        open_lines = self._watched & ~board.short
        while open_lines:
            bit = open_lines & -open_lines
            open_lines ^= bit
            listed = len(tops)
            for watchers in board.lines[bit].watchers.values():
                self._list_first(tops, watchers)
            if len(tops) == listed:
                self._watched ^= bit
        return tops

    def _answer_call(self, tops: list[_Top], limit: Limit) -> None:
        """List those that wait for a call of the limit, and those that are due."""
        if limit.free <= 0:
            return
        self._call_due(limit, limit.returned)
        listed = len(tops)
        for watchers in limit.callers.values():
            self._list_first(tops, watchers)
        if len(tops) == listed:
            limit.call_at = limit.dues.next()

    def _call_due(self, limit: Limit, returned: int) -> None:
        """Let those that are due once so much was given back wait for a call."""
        for demand in limit.dues.take(returned):
            if demand.watching is not None and demand.watching.bit & limit.bits:
                self._await_call(demand, limit)

    def _list_first(self, tops: list[_Top], watchers: Watchers) -> None:
        """List the first of the watchers under the head it is kept under; drop what is stale."""
        heap, by_order = watchers.heap, watchers.execution.by_order
        while heap:
            order = heap[0]
            demand = by_order[order].demand
            if demand.watching is watchers and demand.queue[0] == order:
                place = self._place(demand) if self._is_shared else ()
                heappush(tops, (place, order, watchers))
                return
            heappop(heap)

    def _place(self, demand: Demand) -> tuple[int, ...]:
        """Priority, then the smaller share, then the earlier execution; then its own order."""
        execution = demand.execution
        head = execution.by_order[demand.queue[0]]
        return (-head.priority, self._share(demand), execution.seq)

    def _share(self, demand: Demand) -> int:
        """How much its execution holds of the scarcest site limit that it needs."""
        scarcest, share = None, 0
        for limit in demand.limits:
            if limit.is_local:
                continue
            free, held = limit.max - limit.used, limit.held.get(demand.execution, 0)
            if scarcest is None or free < scarcest:
                scarcest, share = free, held
            elif free == scarcest:
                share = max(share, held)
        return share

    def _blocker(self, demand: Demand) -> Lack | Limit | None:
        """What keeps the demand's head from starting: a lack of room, or a limit that is kept."""
        lacking = demand.mask & self.board.short
        if lacking:
            return demand.by_short.get(lacking) or demand.lacking(lacking)
        return _kept_limit(demand) if self.reservations else None

    # ------------------------------------------------------------ reservations

    def _pass_over(self, demand: Demand, blocker: Lack | Limit, kept_out: _KeptOut) -> None:
        """The demand was looked at in its turn in vain: let it be found again.

        That is when the first line without room has some. Before a wide one has, smaller needs
        may take all that is given back: it is looked at again when the limit changed hands often
        enough, too. One that a reservation keeps out is found when any of the limit is given back.
        """
        if isinstance(blocker, Limit):
            kept_out.append((demand, blocker))
            return
        line = blocker.lines[0]
        if line.limit not in demand.gates:
            line, due = self._turn_of(demand, blocker)
            if due != NOT_DUE:
                line.limit.add_due(demand, due)
        execution = demand.execution
        watchers = line.watchers.get(execution)
        if watchers is None:
            watchers = line.watchers[execution] = Watchers(execution, line.bit)
        demand.watching = watchers
        heappush(watchers.heap, demand.queue[0])
        self._watched |= line.bit

    def _turn_of(self, demand: Demand, lack: Lack) -> tuple[Line, int]:
        """The line without room that did not yet turn over often enough, and when it is due.

        Where all did, they are reserved, unless one could never have room as it is.
        """
        for line in lack.lines:
            seen = demand.seen.setdefault(line, line.limit.returned)
            if not is_passed_over(line, seen):
                return line, seen + line.turns if line.is_wide else NOT_DUE
        for line in lack.lines:
            if not line.could_ever_have_room():
                return line, NEVER
        for line, need in zip(demand.need_lines, demand.needs, strict=True):
            if line in lack.lines and line.limit not in demand.reserved:
                self._reserve(demand, need)
        return lack.lines[0], NOT_DUE

    def _reserve(self, demand: Demand, need: Need) -> None:
        if not demand.reservation:
            self._reservation_numbers += 1
            self.reservations += 1
            demand.reservation = self._reservation_numbers
        limit = need[0]
        demand.reserved[limit] = need
        limit.kept_for[demand] = need
        self.kept[limit] = None
        self.touched[demand] = None

    def unreserve(self, demand: Demand) -> None:
        """Give up what is reserved for the demand; its turns count anew."""
        if not demand.seen:
            return
        demand.seen.clear()
        if demand.watching is not None:
            self._look_at(demand)
        if not demand.reservation:
            return
        for limit in demand.reserved:
            del limit.kept_for[demand]
            limit.call()
            self.kept[limit] = None
        demand.reserved = {}
        demand.reservation = 0
        self.reservations -= 1
        self.touched[demand] = None

    def unreserve_hopeless(self, limits: Iterable[Limit]) -> None:
        """Drop reservations of demands that could not start even if nobody held anything."""
        for limit in limits:
            for demand in list(limit.waiting()):
                if demand.reservation and not can_ever_start(demand):
                    self.unreserve(demand)


def can_ever_start(demand: Demand) -> bool:
    """Whether its gates are open and its needs are within the limits as they are."""
    return all(line.could_ever_have_room() for line in demand.lines)


def is_passed_over(line: Line, seen: int) -> bool:
    """Whether the limit changed hands often enough since so many of its units were given back."""
    return line.limit.returned >= seen + line.turns


def _count_held(demand: Demand, attempts: int) -> None:
    """So many attempts more hold the site limits that the demand needs."""
    execution = demand.execution
    for limit in demand.limits:
        if not limit.is_local:
            limit.held[execution] = limit.held.get(execution, 0) + attempts


def _kept_by_any(demand: Demand) -> bool:
    """Whether reservations may keep it out, which a head of higher priority passes by."""
    return any(limit.kept_for for limit in demand.limits)


def _kept_limit(demand: Demand) -> Limit | None:
    """The first of its limits that is kept for somebody who comes before it."""
    for limit, amount, exclusive in demand.needs:
        if limit.kept_for and limit.keeper(demand, amount, exclusive=exclusive) is not None:
            return limit
    return None


def _limits_of(execution: ExecutionRun) -> Iterable[Limit]:
    """What its tasks need, gates included, each once."""
    return {line.limit: None for demand in execution.demands for line in demand.lines}
