"""What surrounds a machine, played by a test: workers, people, a clock, crashes, lost messages.

Believes only what decisions say, keeps an attempt log of it, and reckons for itself what could
run. A twin machine is told the same and must decide the same.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from executions.scheduling.machine import Machine
from executions.scheduling.messages import (
    CloseExecution,
    Dispatch,
    ExecutionSubmitted,
    LimitsChanged,
    StopAttempt,
    WakeAt,
    WorkersChanged,
)
from executions.scheduling.model import (
    FINAL_EXECUTION_STATES,
    FINAL_TASK_STATES,
    Group,
    Hold,
    TaskState,
)
from tests.invariants import AttemptRecord, problems

MOMENT_S = 1 / 1024
RELEASED = ("completed", "failed", "cancelled", "returned")


class World:
    def __init__(self, limits, workers) -> None:
        self.now = 0.0
        self.limits, self.workers = dict(limits), dict(workers)
        self.limit_history, self.worker_history = [], []
        self.groups: dict[str, Group] = {}
        self.log: list[AttemptRecord] = []
        self.live: dict[tuple[str, str], int] = {}  # → index into the log
        self.stopping: set[tuple[str, str]] = set()
        self.states: dict[tuple[str, str], TaskState] = {}
        self.since: dict[tuple[str, str], float] = {}
        self.queued_s: dict[tuple[str, str], float] = {}
        self.executions: dict[str, str] = {}
        self.open: set[str] = set()
        self.wake_at: float | None = None
        self.waits: dict[tuple[str, int], object] = {}  # what was said of each demand last
        self.told: list = []
        self.is_broken = False
        self.start_machines()

    def start_machines(self) -> None:
        self.machine, self.twin = Machine(), Machine()
        self.tell(LimitsChanged(self.limits), WorkersChanged(self.workers))

    # ------------------------------------------------------------ telling

    def tell(self, *events):
        self.now += MOMENT_S  # no two decisions at one instant: the log has to be in order
        for event in events:
            if isinstance(event, LimitsChanged):
                self.limits = dict(event.limits)
            elif isinstance(event, WorkersChanged):
                self.workers = dict(event.workers)
        self.is_broken = True
        self.limit_history.append((self.now, self.limits))
        self.worker_history.append((self.now, self.workers))
        decision = self.machine.handle(events, self.now)
        assert self.twin.handle(events, self.now) == decision
        self.told.extend(events)
        self.believe(decision)
        self.machine.check()
        self.reckon()
        self.is_broken = False
        return decision

    def submit(self, execution: str, group: Group) -> None:
        self.groups[execution] = group
        self.open.add(execution)
        self.executions[execution] = "pending"
        for task in group.tasks:
            self.states[execution, task.id] = TaskState.BLOCKED
            self.since[execution, task.id] = self.now
        self.tell(ExecutionSubmitted(execution, group))

    def crash(self, undone=()) -> None:
        """The machine is gone; another carries on from what was remembered.

        `undone`: events it was told last, whose decision nobody heard of.
        """
        remembered = {id_: self.machine.progress(id_) for id_ in self.machine.executions()}
        assert set(remembered) == self.open
        self.machine.handle(undone, self.now)
        self.machine, self.twin = Machine(), Machine()
        decision = self.tell(
            LimitsChanged(self.limits),
            WorkersChanged(self.workers),
            *(ExecutionSubmitted(id_, self.groups[id_], p) for id_, p in remembered.items()),
        )
        assert all(t.start is TaskState.QUEUED for t in decision.transitions), decision
        stopped = {(i.execution, i.task) for i in decision.instructions if type(i) is StopAttempt}
        assert stopped == self.stopping
        admitted = {(t.execution, t.task) for t in decision.transitions}
        for id_ in self.machine.executions():
            before, after = remembered[id_], self.machine.progress(id_)
            same = {t: p for t, p in after.tasks.items() if (id_, t) not in admitted}
            assert same == {t: p for t, p in before.tasks.items() if t in same}
            assert (after.state, after.stopping_to) == (before.state, before.stopping_to)
            moment_s = MOMENT_S * len(after.tasks)  # of each task, from the one to the other
            for earlier, later in ((before.alone, after.alone), (before.waited, after.waited)):
                sums = [(earlier.get(k, 0), later.get(k, 0)) for k in {*earlier, *later}]
                assert all(-1e-6 < b - a < moment_s + 1e-6 for a, b in sums)

    def ask_what_changed(self) -> None:
        """All that was said at any time is what all queues wait for now."""
        changes = self.machine.changed_waits()
        assert len(changes) == len({(wait.execution, wait.demand) for wait in changes})
        self.waits.update({(wait.execution, wait.demand): wait for wait in changes})
        assert self.machine.changed_waits() == ()
        believed = [wait for wait in self.waits.values() if wait.queued]
        told = [wait for id_ in self.machine.executions() for wait in self.machine.waiting(id_)]
        assert sorted(believed) == sorted(told)
        queued = Counter(id_ for (id_, _), state in self.states.items() if state == "queued")
        assert queued == sum((Counter({w.execution: w.queued}) for w in believed), Counter())
        by_key = sum((Counter(dict.fromkeys(w.keys, w.queued)) for w in believed), Counter())
        assert self.machine.waiting_for() == by_key

    # ------------------------------------------------------------ believing

    def believe(self, decision) -> None:
        for step in decision.executions:
            assert self.executions[step.execution] == step.start
            assert step.start not in FINAL_EXECUTION_STATES
            self.executions[step.execution] = step.finish
        self.wake_at = None
        workers = {}
        for instruction in decision.instructions:
            if isinstance(instruction, Dispatch):
                workers[instruction.execution, instruction.task] = instruction.worker
            elif isinstance(instruction, WakeAt):
                self.wake_at = instruction.at
        for transition in decision.transitions:
            self._believe_transition(transition, workers)
        for instruction in decision.instructions:
            key = getattr(instruction, "execution", ""), getattr(instruction, "task", "")
            if isinstance(instruction, StopAttempt):
                assert self.log[self.live[key]].worker == instruction.worker != ""
                self.stopping.add(key)
            elif isinstance(instruction, CloseExecution):
                self._believe_closed(instruction)
                self.ask_what_changed()  # nothing is told of it later

    def _believe_transition(self, transition, workers) -> None:
        key = transition.execution, transition.task
        assert self.states[key] == transition.start
        assert transition.start not in FINAL_TASK_STATES
        waited = transition.at - self.since[key]
        if transition.start in (TaskState.QUEUED, TaskState.RETRYING):
            total = self.queued_s.get(key, 0.0) + waited
            self.queued_s[key] = total
            assert abs(sum(transition.waits.values()) - total) < 1e-6, (transition, total)
        else:
            assert transition.waits is None
        self.states[key], self.since[key] = transition.finish, transition.at
        if transition.finish is TaskState.DISPATCHED:
            self.live[key] = len(self.log)
            self.log.append(
                AttemptRecord(
                    *key, transition.attempt, "dispatched", transition.at, None, worker=workers[key]
                )
            )
        elif transition.attempt_state is not None:
            self._believe_attempt(key, transition)

    def _believe_attempt(self, key, transition) -> None:
        index = self.live[key]
        row = self.log[index]
        assert row.number == transition.attempt
        ended = transition.attempt_state in RELEASED
        started_at = transition.started_at
        self.log[index] = replace(
            row,
            state=transition.attempt_state.value,
            started_at=row.started_at if started_at is None else started_at,
            finished_at=transition.finished_at,
            released_at=transition.at if ended else None,
            reason="" if transition.reason is None else transition.reason.value,
        )
        if ended:
            del self.live[key]
            self.stopping.discard(key)

    def _believe_closed(self, closed) -> None:
        self.open.remove(closed.execution)
        assert self.executions[closed.execution] in FINAL_EXECUTION_STATES
        for key, seconds in closed.alone.items():
            assert 0 <= seconds <= closed.waited.get(key, 0.0) + 1e-6
        ends = {s for (e, _), s in self.states.items() if e == closed.execution}
        assert ends <= FINAL_TASK_STATES

    # ------------------------------------------------------------ reckoning

    def reckon(self) -> None:
        """No task is queued while all it needs is free, but for reservations and holds."""
        held = [(self.log[i], *self._task(key)) for key, i in self.live.items()]
        for execution in self.open:
            told = {wait.demand: wait for wait in self.machine.waiting(execution)}
            holds = {key for wait in told.values() for key in wait.keys}
            if self.executions[execution] == "paused":
                assert holds <= {Hold.PAUSED}
                continue
            if holds & {Hold.RESERVED, Hold.CRITICAL_PHASE}:
                continue
            for task in self.groups[execution].tasks:
                if self.states[execution, task.id] is TaskState.QUEUED:
                    assert not self.fits(execution, task, held), task

    def _task(self, key):
        group = self.groups[key[0]]
        return next(task for task in group.tasks if task.id == key[1]), group

    def fits(self, execution, task, held) -> bool:
        group = self.groups[execution]
        own = [t for row, t, _ in held if row.execution == execution]
        if len(own) >= group.max_concurrency:
            return False
        if task.needs_worker and not any(
            sum(row.worker == name for row, *_ in held) < slots
            for name, slots in self.workers.items()
        ):
            return False
        for kind in ("team", "task_type"):
            name = getattr(task, kind)
            if name is None:
                continue
            key = f"{kind}:{name}"
            if sum(getattr(t, kind) == name for _, t, _ in held) >= self.limits.get(key, 0):
                return False
            if sum(getattr(t, kind) == name for t in own) >= group.limits.get(key, 1 << 60):
                return False
        return all(
            self._has(need, held, self.limits.get(f"resource:{need.resource}", 0))
            and self._has(
                need,
                [row for row in held if row[0].execution == execution],
                group.limits.get(f"resource:{need.resource}", 1 << 60),
            )
            for need in task.requirements
        )

    def _has(self, need, held, most) -> bool:
        mine = [r for _, t, _ in held for r in t.requirements if r.resource == need.resource]
        if need.exclusive:
            return not mine and most > 0
        return (
            not any(r.exclusive for r in mine) and sum(r.amount for r in mine) + need.amount <= most
        )

    def judge(self) -> None:
        """The whole log, by the independent checker."""
        over = {key: s.value for key, s in self.states.items() if key[0] not in self.open}
        found = problems(
            self.log,
            self.groups,
            limits=self.limit_history,
            workers=self.worker_history,
            states=over if not self.open else None,
        )
        assert not found, "\n".join(found)
