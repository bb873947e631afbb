"""What looks odd in a group before it runs: limits out of reach, needs of all, lone tasks."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from executions.scheduling.conditions import Conditions
from executions.scheduling.model import WORKERS, LimitKey, LimitKind
from executions.scheduling.needs import MAX_CONCURRENCY, needs_by_task
from executions.scheduling.simulation import Scheduled

LONE_SHARE: Final = 0.05
"""A task that runs alone is told from this share of the forecast on."""
TASKS_NAMED: Final = 20


class Finding(StrEnum):
    """What was found."""

    CLOSED = "closed"
    """Tasks need a limit that is 0 now: they wait until it is opened."""
    OUT_OF_REACH = "out_of_reach"
    """The limit can never be reached by this group."""
    WHOLE_CAPACITY = "whole_capacity"
    """A shared need takes all of a resource, so it is as good as exclusive."""
    LONE_TASK = "lone_task"
    """Nothing can run beside a task of the critical path."""


@dataclass(frozen=True, slots=True)
class Lint:
    """One finding in words, with the tasks concerned (the first TASKS_NAMED)."""

    finding: Finding
    limit: str
    tasks: tuple[str, ...]
    message: str

    def as_json(self) -> dict[str, object]:
        """As in a plan."""
        return {
            "finding": self.finding.value,
            "limit": self.limit,
            "tasks": list(self.tasks),
            "message": self.message,
        }


def lint_limits(conditions: Conditions) -> list[Lint]:
    """What the needs and capacities alone show."""
    capacity = conditions.capacities()
    by_key: dict[LimitKey, list[str]] = defaultdict(list)
    units: Counter[LimitKey] = Counter()
    whole: dict[LimitKey, list[str]] = defaultdict(list)
    for id_, needs in needs_by_task(conditions.group).items():
        for need in needs:
            most = capacity.get(need.key)
            if most is None:
                continue
            by_key[need.key].append(id_)
            units[need.key] += need.units(most)
            if need.amount == most and not need.exclusive and _is_resource(need.key):
                whole[need.key].append(id_)
    found = []
    for key, ids in by_key.items():
        most, named = capacity[key], tuple(ids[:TASKS_NAMED])
        if most <= 0:
            text = f"{key} is closed: {len(ids)} tasks wait until it is opened"
            found.append(Lint(Finding.CLOSED, key, named, text))
        elif most > (reach := _reach(conditions, key, ids, units[key], capacity)):
            text = f"{key} allows {most} at once, but at most {reach} can ever be in use"
            found.append(Lint(Finding.OUT_OF_REACH, key, named, text))
    for key, ids in whole.items():
        if len(by_key[key]) > 1:
            text = f"{len(ids)} tasks need all {capacity[key]} of {key}: others wait meanwhile"
            found.append(Lint(Finding.WHOLE_CAPACITY, key, tuple(ids[:TASKS_NAMED]), text))
    return found


def _is_resource(key: str) -> bool:
    return key.startswith(f"{LimitKind.RESOURCE}:")


def _reach(
    conditions: Conditions,
    key: LimitKey,
    ids: Sequence[str],
    units: int,
    capacity: Mapping[LimitKey, int],
) -> int:
    """The most of it that can be in use, given how many ask and what else holds those up."""
    if _is_resource(key):
        return units
    asking = set(ids)
    tasks = [task for task in conditions.group.tasks if task.id in asking]
    teams = Counter(task.team for task in tasks)
    types = Counter(task.task_type for task in tasks)
    reaches = [len(tasks)]
    if key not in {MAX_CONCURRENCY, WORKERS}:
        reaches.append(capacity[MAX_CONCURRENCY])
    for kind, counts in ((LimitKind.TEAM, teams), (LimitKind.TASK_TYPE, types)):
        if not key.startswith(f"{kind}:"):
            limits = (
                (n, capacity.get(LimitKey(f"{kind}:{name}"), n)) for name, n in counts.items()
            )
            reaches.append(sum(min(n, most) for n, most in limits))
    return min(reaches)


def lint_lone_tasks(schedule: Sequence[Scheduled], path: Sequence[str]) -> list[Lint]:
    """Tasks of the critical path beside which nothing runs in the forecast."""
    spans = {
        s.id: (s.started_at, s.finished_at)
        for s in schedule
        if s.started_at is not None and s.finished_at is not None and s.finished_at > s.started_at
    }
    end = max((finish for _, finish in spans.values()), default=0.0)
    starts = sorted(spans.items(), key=lambda item: item[1])
    alone = []
    latest = -1.0
    for place, (id_, (start, finish)) in enumerate(starts):
        following = starts[place + 1][1][0] if place + 1 < len(starts) else float("inf")
        if latest <= start and finish <= following:
            alone.append(id_)
        latest = max(latest, finish)
    found = []
    for id_ in alone:
        seconds = spans[id_][1] - spans[id_][0]
        if id_ in set(path) and len(spans) > 1 and seconds >= LONE_SHARE * end:
            text = f"{id_} runs alone for {seconds:g} s of {end:g} s: nothing can run beside it"
            found.append(Lint(Finding.LONE_TASK, "", (id_,), text))
    return found
