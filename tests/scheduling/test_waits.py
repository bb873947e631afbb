"""What runs waited for, reckoned again from their schedules alone."""

from __future__ import annotations

import os
from collections import defaultdict
from itertools import pairwise

import pytest
from hypothesis import assume, given, settings

from executions.scheduling.model import Hold
from executions.scheduling.simulation import simulate
from tests.scheduling.groups import open_limits
from tests.scheduling.test_brute_force import capacities, plain, uses

often = settings(max_examples=int(os.environ.get("PEXEC_FUZZ", "120")), deadline=None)


def waited_for(group, limits, result):
    """(seconds in which some task waited for a key alone, task-seconds by key, each task's own)."""
    sizes = capacities(group, limits)
    needs = {task.id: uses(task, group, limits) for task in group.tasks}
    rows = {row.id: row for row in result.schedule}
    ready = {
        task.id: max((rows[d].finished_at for d in task.depends_on), default=0.0)
        for task in group.tasks
    }
    moments = sorted({at for r in rows.values() for at in (r.started_at, r.finished_at)})
    alone, waited = defaultdict(float), defaultdict(float)
    own = {task.id: defaultdict(float) for task in group.tasks}
    for begin, end in pairwise(moments):
        held = defaultdict(int)
        for id_, row in rows.items():
            if row.started_at <= begin < row.finished_at:
                for key, units in needs[id_].items():
                    held[key] += units
        lone = set()
        for id_, row in rows.items():
            if ready[id_] <= begin < row.started_at:
                full = [key for key, units in needs[id_].items() if held[key] + units > sizes[key]]
                for key in full:
                    waited[key] += end - begin
                    own[id_][key] += (end - begin) / len(full)
                lone.update(full if len(full) == 1 else [])
        for key in lone:
            alone[key] += end - begin
    return alone, waited, own


def named(sums, execution):
    """By the names that the brute force gives limits."""
    return {
        key.replace(f"{execution}/max_concurrency", "max_concurrency").replace(
            f"{execution}/", "own "
        ): seconds
        for key, seconds in sums.items()
    }


@often
@given(group=plain, limits=open_limits)
def test_what_binds_is_what_was_full(group, limits):
    result = simulate(group, limits=limits)
    assume(Hold.RESERVED not in result.waited)
    alone, waited, own = waited_for(group, limits, result)
    assert named(result.alone, result.execution) == pytest.approx(dict(alone))
    assert named(result.waited, result.execution) == pytest.approx(dict(waited))
    for id_, waits in result.waits.items():
        assert named(waits, result.execution) == pytest.approx(dict(own[id_])), id_
