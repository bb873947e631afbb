"""What follows a failed attempt, and how an execution ends: decisions out of values.

Knows no queue and no clock; randomness comes in as a number from 0 to 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from executions.scheduling.model import (
    ExecutionState,
    Group,
    Outcome,
    Reason,
    Strategy,
    Task,
    TaskState,
)

BACKOFF_FIRST_S: Final = 1.0
BACKOFF_MOST_S: Final = 60.0
LOSSES_TO_POISON: Final = 3
"""A task whose worker vanished so often is held to be what kills workers."""

TIMEOUT_ERROR: Final = "Timeout exceeded"
LOST_ERROR: Final = "The worker was lost"
POISON_ERROR: Final = f"Lost {LOSSES_TO_POISON} workers; not tried again"
RUN_TIMEOUT_ERROR: Final = "The run exceeded its time limit"
NONE_COMPLETED_ERROR: Final = "No task completed"


class Next(StrEnum):
    """What becomes of a task run whose attempt failed."""

    QUEUE = "queue"
    """It is tried again at once, at no cost."""
    RETRY = "retry"
    """It is tried again after a backoff."""
    FAIL = "fail"
    """It failed."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of the task run, and its counts afterwards."""

    next: Next
    failures: int
    losses: int
    error: str


def backoff_s(failures: int, jitter: float) -> float:
    """How long to wait after the `failures`-th failure: doubling, spread by half either way."""
    doubled = BACKOFF_FIRST_S * 2.0 ** min(failures - 1, 30)
    return min(doubled, BACKOFF_MOST_S) * (0.5 + jitter)


def after_failure(
    group: Group,
    task: Task,
    *,
    failures: int,
    losses: int,
    reason: Reason,
    error: str,
    retryable: bool = True,
) -> Verdict:
    """Judge one more failed attempt of a task that failed and was lost so often before.

    A lost worker is first charged to `retry_on_lost`, under every strategy; beyond that it
    counts as any other failure.
    """
    if reason is Reason.WORKER_LOST:
        losses += 1
        if losses >= LOSSES_TO_POISON:
            return Verdict(Next.FAIL, failures, losses, POISON_ERROR)
        if losses <= group.retry_on_lost:
            return Verdict(Next.QUEUE, failures, losses, error)
    failures += 1
    most = group.max_retries if task.max_retries is None else task.max_retries
    again = (
        group.strategy is Strategy.RETRY_FAILED
        and retryable
        and reason is not Reason.REJECTED
        and failures <= most
    )
    return Verdict(Next.RETRY if again else Next.FAIL, failures, losses, error)


def outcome_of(counts: Mapping[TaskState, int]) -> Outcome:
    """How a run went whose task runs ended so (counts by state)."""
    completed = counts.get(TaskState.COMPLETED, 0)
    if completed == sum(counts.values()):
        return Outcome.SUCCESS
    return Outcome.PARTIAL if completed else Outcome.FAILURE


def end_of(outcome: Outcome) -> ExecutionState:
    """The final state of a run that went to its end."""
    return ExecutionState.FAILED if outcome is Outcome.FAILURE else ExecutionState.COMPLETED


def stopped_state(attempts: int) -> TaskState:
    """What a task run without a live attempt becomes when its run stops."""
    return TaskState.CANCELLED if attempts else TaskState.SKIPPED
