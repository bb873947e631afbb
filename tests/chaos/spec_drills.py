"""Row 15: whatever is wrong with a spec, the running site says all of it, and saves nothing."""

from __future__ import annotations

import json
from typing import Any

from executions.models import Attempt, Execution, Resource, TaskGroup, TaskRun
from executions.specs.shapes import TASK_LIMIT
from tests.chaos.stage import Stage, drill
from tests.specs import test_faults
from tests.specs.builders import group

ALIASES = "name: g\ntasks:\n" + "\n".join(["- &a {id: A, title: x}", *("- *a" for _ in range(3))])
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "\n".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]"
    for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
TEXTS = {
    "aliases": ALIASES,
    "a bomb": BOMB,
    "a key twice": "name: g\nname: h\ntasks: [{id: A}]",
    "no map": "- 1",
    "no YAML": "a: [",
}
"""Wrong before there is a spec at all."""


def cases() -> list[tuple[Any, str]]:
    """(spec, what must be said of it): the whole list that the unit tests go through."""
    marks = test_faults.test_a_fault_is_told_with_its_place.pytestmark
    return [case for case in marks[0].args[1] if not isinstance(case[0], str)]


def counts() -> list[int]:
    """How much is saved."""
    return [model.objects.count() for model in (TaskGroup, Execution, TaskRun, Attempt)]


@drill("15")
def specs_malformed(stage: Stage) -> str:
    """Every malformed spec of rule 10: refused with every place, and nothing is saved."""
    Resource.objects.get_or_create(name="db", defaults={"capacity": 2})
    before = counts()
    told = 0
    for data, fault in cases():
        told += _refused(stage, data, {fault.split(": ")[0]})
    together = group(
        {"id": "A", "depends_on": ["B", "Z"], "priority": 200, "team": "x"},
        {"id": "B", "depends_on": ["A"]},
        {"id": "B", "runner": "shell"},
        {"id": "D", "depends_on": ["D"], "duration_s": -1},
        7,
        bogus=1,
    )
    told += _refused(stage, together, {
        "bogus", "tasks[0].priority", "tasks[0].depends_on[1]", "tasks[0].depends_on",
        "tasks[0].team", "tasks[2].id", "tasks[2].payload.command", "tasks[3].depends_on[0]",
        "tasks[3].duration_s", "tasks[4]",
    })  # fmt: skip
    over = TASK_LIMIT + 1
    told += _refused(stage, group(*({"id": f"t{n}"} for n in range(over))), set())
    for what, text in TEXTS.items():
        status, answer = stage.asked("/api/v1/task-groups/", text.encode(), "application/yaml")
        assert 400 <= status < 500, f"{what}: {status} {answer[:200]}"
        told += len(json.loads(answer)["faults"])
    assert counts() == before, f"saved: {before} before, {counts()} after"
    return f"{len(cases()) + 2 + len(TEXTS)} specs refused, {told} faults told, nothing saved"


def _refused(stage: Stage, data: Any, places: set[str]) -> int:
    """See that both doors refuse it, with these places at least; how many faults were told."""
    told = 0
    for path, body in (("task-groups", data), ("executions", {"spec": data})):
        status, answer = stage.asked(f"/api/v1/{path}/", json.dumps(body).encode())
        assert 400 <= status < 500, f"{str(data)[:80]}: {status} {answer[:200]}"
        faults = {fault["place"] for fault in json.loads(answer)["faults"]}
        missing = places - faults if _is_json(data) else set()
        assert faults, f"{str(data)[:80]}: nothing is told: {answer[:200]}"
        assert not missing, f"{str(data)[:80]}: {missing} not told, but {faults}"
        told += len(faults)
    return told


def _is_json(data: Any) -> bool:
    """Whether it is more than a text of JSON's kind: NaN is refused before there are places."""
    try:
        json.dumps(data, allow_nan=False)
    except ValueError:
        return False
    return True
