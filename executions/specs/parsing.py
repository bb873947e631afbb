"""From data to a TaskGroupSpec with every fault told at once, those of its meaning included.

A spec whose shape is wrong somewhere is mended there (the wrong value taken out), so that the rest
of it can be checked too; what was mended is never returned.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from executions.specs.checking import CheckPayload, SiteLimits, structure_faults, validate
from executions.specs.faults import Fault, Location, SpecInvalidError, place_of
from executions.specs.reading import SPEC_BYTES, SpecFormat, read_leniently, unfit_values
from executions.specs.shapes import TaskGroupSpec

WORDS = {
    "extra_forbidden": "unknown field",
    "missing": "must be given",
    "model_type": "must be a map",
    "dict_type": "must be a map",
    "string_type": "must be text",
}
SEVERAL = "task_groups"
MENDED = "mended"
MENDINGS = 3
PART = 3
"""Of a location in a task: tasks, position, field. What is wrong deeper takes the field along."""


def parse(
    text: str | bytes,
    *,
    format: SpecFormat | None = None,  # noqa: A002 (a promised name)
    max_bytes: int = SPEC_BYTES,
) -> TaskGroupSpec:
    """A spec whose shape and dependencies are sound. Raises SpecInvalidError."""
    return _checked(*read_leniently(text, format, max_bytes))


def parse_data(data: Any) -> TaskGroupSpec:
    """The same from data, as a REST body brings it; it must have gone through `read` or JSON."""
    return _checked(data, [])


def load(
    text: str | bytes,
    *,
    site: SiteLimits,
    check_payload: CheckPayload,
    format: SpecFormat | None = None,  # noqa: A002 (a promised name)
    max_bytes: int = SPEC_BYTES,
) -> TaskGroupSpec:
    """`parse` and `validate` in one: every fault of every kind at once."""
    return _checked(*read_leniently(text, format, max_bytes), site, check_payload)


def load_several(
    text: str | bytes,
    *,
    site: SiteLimits,
    check_payload: CheckPayload,
    format: SpecFormat | None = None,  # noqa: A002 (a promised name)
    max_bytes: int = SPEC_BYTES,
) -> list[TaskGroupSpec]:
    """`load` of a file with one spec, or with several under `task_groups`."""
    data, told = read_leniently(text, format, max_bytes)
    if not isinstance(data, dict) or SEVERAL not in data:
        return [_checked(data, told, site, check_payload)]
    faults = [*told]
    faults += [Fault(str(key), WORDS["extra_forbidden"]) for key in data if key != SEVERAL]
    given = data[SEVERAL]
    if not isinstance(given, list) or not given:
        raise SpecInvalidError([*faults, Fault(SEVERAL, "must be a list of task groups")])
    specs: list[TaskGroupSpec] = []
    first: dict[str, int] = {}
    for position, one in enumerate(given):
        place = f"{SEVERAL}[{position}]"
        try:
            spec = _checked(one, [], site, check_payload)
        except SpecInvalidError as error:
            faults += [Fault(f"{place}.{f.place}".rstrip("."), f.message) for f in error.faults]
            continue
        if first.setdefault(spec.name, position) != position:
            message = f"'{spec.name}' is already the name of {SEVERAL}[{first[spec.name]}]"
            faults.append(Fault(f"{place}.name", message))
        specs.append(spec)
    if faults:
        raise SpecInvalidError(faults)
    return specs


def load_data(data: Any, *, site: SiteLimits, check_payload: CheckPayload) -> TaskGroupSpec:
    """The same from data that has been read already."""
    return _checked(data, [], site, check_payload)


def _checked(
    data: Any,
    told: Sequence[Fault],
    site: SiteLimits | None = None,
    check_payload: CheckPayload | None = None,
) -> TaskGroupSpec:
    """The spec in the data. `told`: what is wrong with the text it was read from."""
    spec, found, gone = _shaped(data)
    faults = [*told, *found]
    if spec is not None:
        if site is None or check_payload is None:
            meaning = structure_faults(spec)
        else:
            meaning = validate(spec, site=site, check_payload=check_payload)
        wrong = [*(fault.place for fault in faults), *gone]
        faults += [f for f in meaning if not _is_within(f.place, wrong)]
    if faults or spec is None:
        raise SpecInvalidError(faults)
    return spec


def _is_within(place: str, wrong: Sequence[str]) -> bool:
    """Whether something at the place or around it is told already."""
    return any(place == w or place.startswith((f"{w}.", f"{w}[")) for w in wrong if w)


def _shaped(data: Any) -> tuple[TaskGroupSpec | None, list[Fault], list[str]]:
    """The spec (None where it cannot be mended), its faults, and the places of what is gone.

    What is gone for holding an unfit value is not missing: nothing is told of it again.
    """
    unfit = list(unfit_values(data))
    gone = [place_of(value.location[:PART]) for value in unfit]
    if isinstance(data, dict):
        data = _without(data, [value.location for value in unfit])
    misshapen: list[Fault] = []
    spec = None
    for _ in range(MENDINGS):
        try:
            spec = TaskGroupSpec.model_validate(data)
            break
        except ValidationError as error:
            found = error.errors(include_url=False, include_context=False, include_input=False)
            misshapen = misshapen or shape_faults(error)
        if not isinstance(data, dict):
            break
        data = _made_whole(_without(data, [e["loc"] for e in found]))
    faults = [value.fault for value in unfit]
    faults += [fault for fault in misshapen if not _is_within(fault.place, gone)]
    return spec, faults, gone


def shape_faults(error: ValidationError) -> list[Fault]:
    """What pydantic found, in our words."""
    return [
        Fault(place_of([step for step in e["loc"] if step != "[key]"]), _words(e["type"], e["msg"]))
        for e in error.errors(include_url=False, include_context=False, include_input=False)
    ]


def _words(kind: str, message: str) -> str:
    return WORDS.get(kind) or re.sub(r"^(Input|String|List) should", "must", message)


def _without(data: dict[Any, Any], wrong: Sequence[Location]) -> dict[Any, Any]:
    """A copy without the wrong values: fields of the group, fields of tasks."""
    copy = dict(data)
    tasks = copy.get("tasks")
    if isinstance(tasks, list):
        copy["tasks"] = tasks = [dict(t) if isinstance(t, dict) else t for t in tasks]
    for location in wrong:
        if not location:
            continue
        if location[0] != "tasks" or len(location) == 1:
            copy.pop(location[0], None)
        elif isinstance(tasks, list) and len(location) >= PART:
            task = tasks[int(location[1])]
            if isinstance(task, dict):
                task.pop(location[2], None)
    return copy


def _made_whole(data: dict[str, Any]) -> dict[str, Any]:
    """With names and ids made up where they must be given and are not."""
    tasks = data.get("tasks")
    if not isinstance(tasks, list) or not tasks:
        tasks = [{}]
    tasks = [
        {"id": f"{MENDED}-{n}", **(task if isinstance(task, dict) else {})}
        for n, task in enumerate(tasks)
    ]
    return {"name": MENDED, **data, "tasks": tasks}
