"""Who starts next: queues of demands, watched limits, sharing, reservations.

A blocked demand watches one limit that keeps it from starting and is looked at again only when
that limit has something to give. Owns the order of admission; knows nothing of attempts.

Reservations. When a demand's head is looked at in its turn and does not fit, a note is taken of
how much of each of its limits was given out so far. When it is looked at again and every limit
that it waits for has since changed hands `TURNOVERS` times over (16 times for half of a limit,
64 for a quarter: a small need soon fits by itself), it reserves those limits: from then on, what
it needs of them is kept from all that come after it, which those of higher priority do not. A
limit that does not change hands is never reserved, so nothing stands idle for a task that waits
for something else that may take days. Reservations are ordered (priority, then age) and only an
earlier one holds up a later one, so they cannot wait for each other.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from typing import Final

from executions.scheduling.capacity import OPEN, Capacity, Limit, Need, release, take
from executions.scheduling.model import TaskState
from executions.scheduling.runs import Demand, ExecutionRun, TaskRun
from executions.scheduling.watchers import ALONE, ANY, Watchers, parked_at, watchers_of

TURNOVERS: Final = 4
"""Of a limit that is needed whole; times the square of capacity over need."""

_Top = tuple[tuple[int, ...], Watchers]
"""(place, watchers): the place of the first of the watchers; no two demands have the same."""


class Admission:
    """The queues of all open executions over one capacity."""

    def __init__(self, capacity: Capacity) -> None:
        """Nothing is queued."""
        self._capacity = capacity
        self._fresh: dict[ExecutionRun, None] = {}
        """Executions with demands that are to be looked at, whatever is freed."""
        self._reservation_numbers = 0
        self._executions = 0
        self.reservations = 0
        """How many demands have a reservation now."""
        self.dirty: dict[Limit, None] = {}
        """Limits held, given back or resized since they were last settled."""
        self.touched: dict[Demand, None] = {}
        """Demands whose queue changed since they were last settled."""

    # ------------------------------------------------------------ executions

    def open(self) -> None:
        """One more execution competes."""
        self._executions += 1

    def close(self, execution: ExecutionRun) -> None:
        """Forget an execution that has nothing queued and holds nothing."""
        self._executions -= 1
        self._fresh.pop(execution, None)
        for demand in execution.demands:
            self.unreserve(demand)
        for limit in _limits_of(execution):
            _forget_watchers(limit, execution)
            limit.shares.pop(execution, None)

    def reorder(self, execution: ExecutionRun) -> None:
        """The execution's order is another now: queue all again."""
        execution.fresh.heap.clear()
        for limit in _limits_of(execution):
            _forget_watchers(limit, execution)
        for demand in execution.demands:
            demand.queue.clear()
            demand.watching = None
            self.unreserve(demand)
        for run in execution.by_order:
            if run.state is TaskState.QUEUED:
                heapq.heappush(run.demand.queue, run.order)
        for demand in execution.demands:
            if demand.queued:
                self._look_at(demand)

    # ------------------------------------------------------------ queues

    def enqueue(self, run: TaskRun) -> None:
        """The task run could start."""
        demand = run.demand
        heapq.heappush(demand.queue, run.order)
        demand.queued += 1
        self.touched[demand] = None
        if demand.queue[0] == run.order:
            if demand.watching is None or self._is_kept_out(demand):
                self._look_at(demand)
            else:
                heapq.heappush(demand.watching.heap, run.order)

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
            if demand.watching is None or demand.watching is demand.execution.fresh:
                self._look_at(demand)
            else:
                self._watch(demand, demand.watching.limit)

    @staticmethod
    def _is_kept_out(demand: Demand) -> bool:
        """Whether reservations may keep it out, which a head of higher priority passes by."""
        return any(limit.kept_for for limit in demand.limits)

    def _look_at(self, demand: Demand) -> None:
        """Look at the demand's head at the next opportunity."""
        execution = demand.execution
        demand.watching = execution.fresh
        heapq.heappush(execution.fresh.heap, demand.queue[0])
        self._fresh[execution] = None

    @staticmethod
    def _watch(demand: Demand, limit: Limit) -> None:
        """Let the demand's head be found again when the limit has something to give."""
        watchers = demand.watching = watchers_of(limit, demand.execution)
        heapq.heappush(watchers.heap, demand.queue[0])

    def _watch_blocker(self, demand: Demand, blocker: Limit) -> None:
        """Let the demand be found again when what keeps its head from starting may be gone.

        One that needs more than a unit of its first limit is parked there. It is decided by
        that limit alone until it has room: no other is looked at before it.
        """
        limit, amount, exclusive, _ = demand.needs[0]
        if blocker is limit and (amount > 1 or exclusive) and demand.seen_given is not None:
            due = demand.seen_given[0] + _turns(limit, amount, exclusive=exclusive)
            if not limit.has_room(amount, exclusive) and limit.given < due:
                parked_at(limit, demand.execution, ALONE if exclusive else amount).park(demand, due)
                return
        self._watch(demand, blocker)

    # ------------------------------------------------------------ capacity

    def admit(self, run: TaskRun) -> str:
        """The first of its demand leaves the queue and takes its slot; answers its worker.

        That is empty for work outside the workers.
        """
        demand = run.demand
        heapq.heappop(demand.queue)
        demand.queued -= 1
        self.touched[demand] = None
        if demand.seen_given is not None:
            self.unreserve(demand)
        run.worker = self._capacity.workers.choose() if demand.needs_worker else ""
        self.take(run)
        return run.worker

    def take(self, run: TaskRun) -> None:
        """The task run holds its slot from now on."""
        demand = run.demand
        take(demand.needs)
        self.dirty.update(demand.limits)
        if demand.needs_worker:
            self._capacity.workers.occupy(run.worker)

    def release(self, run: TaskRun) -> None:
        """The task run's slot is free again."""
        demand = run.demand
        release(demand.needs)
        self.dirty.update(demand.limits)
        if demand.needs_worker:
            self._capacity.workers.vacate(run.worker)

    def reconsider(self, limit: Limit) -> None:
        """The limit may have more to give, or less."""
        self.dirty[limit] = None

    def resized(self, limit: Limit) -> None:
        """There is more of the limit, or less: how long its demands wait counts anew."""
        self.reconsider(limit)
        for by_room in limit.parked.values():
            for watchers in by_room.values():
                for demand in watchers.due(OPEN):
                    self._watch(demand, limit)

    # ------------------------------------------------------------ admission

    def admissible(self) -> Iterator[TaskRun]:
        """Each task run that may start now, best first. The caller starts it before the next."""
        tops = self._listed_tops()
        passed: list[tuple[Demand, Limit]] = []
        while tops:
            place, watchers = heapq.heappop(tops)
            heap, order = watchers.heap, place[-1]
            if not heap or heap[0] != order or not watchers.has_room():
                continue
            demand = watchers.execution.by_order[order].demand
            # places only get worse while tasks are admitted: to look again at the best is enough
            if self._executions > 1 and self._place(demand) != place:
                self._list_first(tops, watchers)
                continue
            heapq.heappop(heap)
            demand.watching = None
            if heap:
                self._list_first(tops, watchers)
            blocker = self._blocker(demand)
            if blocker is None:
                yield demand.execution.by_order[order]
                if demand.head() is None:
                    continue
                blocker = self._blocker(demand)
            if blocker is None:
                self._look_at(demand)
                self._list_first(tops, demand.execution.fresh)
            else:
                self._keep_turn(demand)
                passed.append((demand, blocker))
        self._fresh.clear()
        for demand, blocker in passed:
            self._watch_blocker(demand, blocker)

    def _listed_tops(self) -> list[_Top]:
        """What is fresh, and the first of all watchers of what was freed."""
        tops: list[_Top] = []
        for execution in self._fresh:
            self._list_first(tops, execution.fresh)
        for limit in self.dirty:
            if limit.free > 0:
                if limit.parked:
                    self._list_parked(tops, limit)
                for watchers in limit.watched.values():
                    if watchers.heap:
                        self._list_first(tops, watchers)
        return tops

    def _list_parked(self, tops: list[_Top], limit: Limit) -> None:
        """List parked demands that find room; those that are due watch the limit as others do."""
        most = limit.given + limit.free - 1  # when the last unit is left, so much was given out
        for by_room in limit.parked.values():
            for watchers in by_room.values():
                if watchers.is_due(most):
                    for demand in watchers.due(most):
                        self._watch(demand, limit)
                if watchers.heap and watchers.has_room():
                    self._list_first(tops, watchers)

    def _list_first(self, tops: list[_Top], watchers: Watchers) -> None:
        """List the first of the watchers under the head it is kept under; drop what is stale."""
        heap, by_order = watchers.heap, watchers.execution.by_order
        while heap:
            order = heap[0]
            demand = by_order[order].demand
            if demand.watching is watchers and demand.queue[0] == order:
                place = (order,) if self._executions == 1 else self._place(demand)
                heapq.heappush(tops, (place, watchers))
                return
            heapq.heappop(heap)

    def _place(self, demand: Demand) -> tuple[int, ...]:
        """Priority, then the smaller share, then the earlier execution, then its own order."""
        order = demand.queue[0]
        execution = demand.execution
        return (-execution.by_order[order].priority, self._share(demand), execution.seq, order)

    def _share(self, demand: Demand) -> int:
        """How much its execution holds of the scarcest site limit that it needs."""
        scarcest, share = None, 0
        for limit, _, _, own in demand.needs:
            if limit.is_local:
                continue
            free = limit.max - limit.used
            if scarcest is None or free < scarcest:
                scarcest, share = free, own.held
            elif free == scarcest:
                share = max(share, own.held)
        return share

    @staticmethod
    def _blocker(demand: Demand) -> Limit | None:
        """The first of its limits that has no room for the demand's head."""
        for gate in demand.gates:
            if gate.free <= 0:
                return gate
        for limit, amount, exclusive, _ in demand.needs:
            if amount > limit.free or (exclusive and not limit.has_room(amount, exclusive)):
                return limit
            if limit.kept_for and limit.keeper(demand, amount, exclusive=exclusive) is not None:
                return limit
        return None

    # ------------------------------------------------------------ reservations

    def _keep_turn(self, demand: Demand) -> None:
        """Note that the demand was looked at in its turn in vain; reserve if too often."""
        if demand.seen_given is None:
            demand.seen_given = [limit.given for limit in demand.limits]
        elif is_passed_over(demand):
            for need in demand.needs:
                limit, amount, exclusive, _ = need
                if limit not in demand.reserved and not limit.has_room(amount, exclusive):
                    self._reserve(demand, need)

    def _reserve(self, demand: Demand, need: Need) -> None:
        if not demand.reservation:
            self._reservation_numbers += 1
            self.reservations += 1
            demand.reservation = self._reservation_numbers
        limit = need[0]
        demand.reserved[limit] = need
        limit.keep_for(demand, need)
        self.dirty[limit] = None
        self.touched[demand] = None

    def unreserve(self, demand: Demand) -> None:
        """Give up what is reserved for the demand; its turns count anew."""
        if demand.seen_given is None:
            return
        demand.seen_given = None
        if demand.watching is not None and demand.watching.room != ANY:
            self._watch(demand, demand.watching.limit)
        if not demand.reservation:
            return
        for limit in demand.reserved:
            limit.keep_no_more(demand)
            self.reconsider(limit)
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
    return not any(gate.free <= 0 for gate in demand.gates) and all(
        limit.could_ever_fit(amount, exclusive=exclusive)
        for limit, amount, exclusive, _ in demand.needs
    )


def _limits_of(execution: ExecutionRun) -> Iterator[Limit]:
    for demand in execution.demands:
        yield from demand.gates
        yield from demand.limits


def _forget_watchers(limit: Limit, execution: ExecutionRun) -> None:
    limit.watched.pop(execution, None)
    limit.parked.pop(execution, None)


def is_passed_over(demand: Demand) -> bool:
    """Whether all that the demand waits for changed hands often enough since its turn came."""
    seen = demand.seen_given
    is_blocked = False
    for i, (limit, amount, exclusive, _) in enumerate(demand.needs):
        if not limit.has_room(amount, exclusive):
            if seen is None or limit.given - seen[i] < _turns(limit, amount, exclusive=exclusive):
                return False
            is_blocked = True
    return is_blocked and can_ever_start(demand)


def _turns(limit: Limit, amount: int, *, exclusive: bool) -> int:
    """How much of the limit has to be given out to others before it is kept for such a need."""
    units = max(1, limit.max if exclusive else amount)
    return -(-TURNOVERS * limit.max * limit.max * limit.max // (units * units))
