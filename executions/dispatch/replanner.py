"""Searches for better orders in mid-run, beside the leader: what is due, a child that searches.

A search takes up to a second of CPU, so it runs in a process of its own (`search_child`), and the
leader takes its answer as an event when it is there. What changed an order is kept with the
execution's plan, so that the next leader goes on with it and what-if replays it.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
import threading
from collections.abc import Mapping
from typing import Any, Final

import structlog
from django.conf import settings

from executions.models import Execution
from executions.models.snapshots import orders_of
from executions.scheduling.machine import Machine
from executions.scheduling.messages import Decision, ExecutionSubmitted, RanksChanged
from executions.scheduling.model import FINAL_TASK_STATES, ExecutionState, LimitKey
from executions.scheduling.replanning import RunWatch, Standing

log = structlog.get_logger(__name__)

PATIENCE_S: Final = 20.0
"""A child that takes longer is killed."""


class Replanner:
    """The planned executions of one leader, and at most one search at a time."""

    def __init__(self) -> None:
        self._watches: dict[str, RunWatch] = {}
        self._started_at: dict[str, float] = {}
        self._thread: threading.Thread | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._found: RanksChanged | None = None
        self._is_closed = False

    def open(self, pk: int, event: ExecutionSubmitted, now: float) -> list[RanksChanged]:
        """Watch an execution that was planned; answers the order it went by before, if another."""
        plan = Execution.objects.values_list("plan", flat=True).get(pk=pk)
        if "makespan_s" not in plan:
            return []
        progress = event.progress
        ended = 0
        started_at = now
        if progress is not None:
            ended = sum(t.state in FINAL_TASK_STATES for t in progress.tasks.values())
            started_at = now if progress.started_at is None else progress.started_at
        self._watches[event.execution] = RunWatch(
            event.execution, event.group, now, plan["makespan_s"], ended=ended
        )
        self._started_at[event.execution] = started_at
        return [
            RanksChanged(event.execution, ranks)
            for _, ranks in orders_of(plan, [task.id for task in event.group.tasks])[-1:]
        ]

    def observe(self, decision: Decision) -> None:
        """Take in what became of the executions watched."""
        if not self._watches:
            return
        for transition in decision.transitions:
            if watch := self._watches.get(transition.execution):
                watch.note(transition)
        for step in decision.executions:
            if step.start is ExecutionState.PENDING and step.execution in self._watches:
                self._started_at[step.execution] = step.at
            if step.outcome is not None:
                self._watches.pop(step.execution, None)
                self._started_at.pop(step.execution, None)

    def disturb(self) -> None:
        """Limits are others now."""
        for watch in self._watches.values():
            watch.disturb()

    def take(self, now: float) -> list[RanksChanged]:
        """What was found since the last call, kept with its execution's plan."""
        if self._thread is None or self._thread.is_alive():
            return []
        self._thread = None
        found, self._found = self._found, None
        if found is None or found.execution not in self._watches:
            return []
        self._keep(found, now)
        log.info("order changed", execution=found.execution)
        return [found]

    def _keep(self, found: RanksChanged, now: float) -> None:
        """One more order in the plan: when, and the positions of its tasks in that order."""
        watch = self._watches[found.execution]
        positions = {task.id: n for n, task in enumerate(watch.group.tasks)}
        order = {
            "at_s": now - self._started_at[found.execution],
            "positions": [
                positions[id_] for id_ in sorted(found.ranks, key=found.ranks.__getitem__)
            ],
        }
        row = Execution.objects.only("plan").get(pk=int(found.execution.removeprefix("PEXEC-")))
        row.plan = {**row.plan, "orders": [*row.plan.get("orders", []), order]}
        row.save(update_fields=["plan"])

    def begin(
        self, machine: Machine, limits: Mapping[LimitKey, int], slots: int, now: float
    ) -> None:
        """Start a search if one is due and none is under way."""
        if self._thread is not None:
            return
        for watch in self._watches.values():
            if watch.is_due(now):
                standing = watch.standing(machine, limits, slots, now)
                self._thread = threading.Thread(
                    target=self._search, args=(standing,), name="replanner", daemon=True
                )
                self._thread.start()
                return

    def _search(self, standing: Standing) -> None:
        try:
            self._found = self._asked(pickle.dumps(standing))
        except (OSError, subprocess.SubprocessError, pickle.UnpicklingError, EOFError) as error:
            log.warning("no new order", execution=standing.execution, error=repr(error))

    def _asked(self, question: bytes) -> RanksChanged | None:
        command = [sys.executable, "-m", "executions.dispatch.search_child"]
        with subprocess.Popen(  # noqa: S603 this Python, our own module
            command, cwd=settings.BASE_DIR, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as child:
            self._child = child
            try:
                if self._is_closed:
                    child.kill()
                answer, _ = child.communicate(question, timeout=PATIENCE_S)
            finally:
                child.kill()
                self._child = None
        found: Any = pickle.loads(answer)  # noqa: S301 our own child's answer, over our own pipe
        return found if isinstance(found, RanksChanged) else None

    def close(self) -> None:
        """End the search under way."""
        self._is_closed = True
        if child := self._child:
            child.kill()
        if self._thread is not None:
            self._thread.join(PATIENCE_S)
