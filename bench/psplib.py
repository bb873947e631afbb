"""Reads PSPLIB `.sm` files: resource-constrained projects with whole time units."""

from __future__ import annotations

import csv
from pathlib import Path

from executions.scheduling.model import (
    Group,
    LimitKey,
    LimitKind,
    Requirement,
    Task,
    limit_key,
)


def read_sm(path: Path) -> tuple[Group, dict[LimitKey, int]]:
    """The project as a group, and the capacities of its resources as limits.

    The first and the last job are an empty start and an empty end: they are left out.
    """
    successors: dict[str, list[str]] = {}
    jobs: dict[str, list[int]] = {}
    available: list[int] = []
    section = ""
    for line in path.read_text().splitlines():
        words = line.split()
        if line.startswith("*") or not words:
            continue
        if not words[0].lstrip("-").isdigit():
            section = line if line.rstrip().endswith(":") else section
            continue
        numbers = [int(word) for word in words]
        if section.startswith("PRECEDENCE"):
            successors[words[0]] = words[3 : 3 + numbers[2]]
        elif section.startswith("REQUESTS"):
            jobs[words[0]] = numbers[2:]
        elif section.startswith("RESOURCEAVAILABILITIES"):
            available = numbers
    return _group(path.stem, successors, jobs, available)


def _group(
    name: str,
    successors: dict[str, list[str]],
    jobs: dict[str, list[int]],
    available: list[int],
) -> tuple[Group, dict[LimitKey, int]]:
    ends = {next(iter(jobs)), list(jobs)[-1]}
    needed: dict[str, list[str]] = {job: [] for job in jobs}
    for job, following in successors.items():
        for successor in following:
            needed[successor].append(job)
    tasks = [
        Task(
            job,
            duration_s=float(numbers[0]),
            requirements=tuple(
                Requirement(f"R{place}", amount)
                for place, amount in enumerate(numbers[1:], start=1)
                if amount
            ),
            depends_on=tuple(d for d in needed[job] if d not in ends),
        )
        for job, numbers in jobs.items()
        if job not in ends
    ]
    limits = {
        limit_key(LimitKind.RESOURCE, f"R{place}"): capacity
        for place, capacity in enumerate(available, start=1)
    }
    return Group(name, tuple(tasks), max_concurrency=len(tasks)), limits


def read_best_known(path: Path) -> dict[str, tuple[int, int]]:
    """(best makespan known, lower bound proved) by instance."""
    with path.open(newline="") as lines:
        return {
            row["instance"]: (int(row["best_makespan"]), int(row["lower_bound"]))
            for row in csv.DictReader(lines)
        }
