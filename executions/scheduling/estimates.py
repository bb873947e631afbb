"""How long a task will take: its own estimate, else what was learned, else a guess; and which."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from statistics import median

from executions.scheduling.model import DEFAULT_DURATION_S, Group


class DurationSource(StrEnum):
    """Where an estimate comes from."""

    TASK = "task"
    """The task says so."""
    HISTORY = "history"
    """The median of its past completed runs."""
    GROUP = "group"
    """The median of what is known of the group's other tasks."""
    DEFAULT = "default"
    """Nothing is known."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Seconds a task is expected to run, and where that comes from."""

    seconds: float
    source: DurationSource


def estimate(
    own_s: float | None, history_s: float | None, group_median_s: float | None
) -> Estimate:
    """The first of them that is known."""
    if own_s is not None:
        return Estimate(own_s, DurationSource.TASK)
    if history_s is not None:
        return Estimate(history_s, DurationSource.HISTORY)
    if group_median_s is not None:
        return Estimate(group_median_s, DurationSource.GROUP)
    return Estimate(DEFAULT_DURATION_S, DurationSource.DEFAULT)


def estimates(group: Group, history_s: Mapping[str, float] | None = None) -> dict[str, Estimate]:
    """Of every task; `history_s` holds the median of a task's past completed runs, by id."""
    learned = history_s or {}
    known = [
        seconds
        for task in group.tasks
        if (seconds := learned.get(task.id) if task.duration_s is None else task.duration_s)
        is not None
    ]
    middle = median(known) if known else None
    return {
        task.id: estimate(task.duration_s, learned.get(task.id), middle) for task in group.tasks
    }


def with_estimates(group: Group, found: Mapping[str, Estimate]) -> Group:
    """The group with the estimates as its tasks' own, so that the order of admission uses them."""
    if all(task.duration_s is not None for task in group.tasks):
        return group
    tasks = tuple(replace(task, duration_s=found[task.id].seconds) for task in group.tasks)
    return replace(group, tasks=tasks)


def sources(found: Mapping[str, Estimate]) -> dict[str, int]:
    """How many estimates come from where."""
    return dict(Counter(value.source.value for value in found.values()))
