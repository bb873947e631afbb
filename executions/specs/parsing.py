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
from executions.specs.faults import Fault, SpecInvalidError, place_of
from executions.specs.reading import SPEC_BYTES, SpecFormat, read
from executions.specs.shapes import TaskGroupSpec

Location = tuple[str | int, ...]

WORDS = {
    "extra_forbidden": "unknown field",
    "missing": "must be given",
    "model_type": "must be a map",
    "dict_type": "must be a map",
    "string_type": "must be text",
}
MENDED = "mended"
MENDINGS = 3


def parse(
    text: str | bytes,
    *,
    format: SpecFormat | None = None,  # noqa: A002 (a promised name)
    max_bytes: int = SPEC_BYTES,
) -> TaskGroupSpec:
    """A spec whose shape and dependencies are sound. Raises SpecInvalidError."""
    return parse_data(read(text, format, max_bytes))


def parse_data(data: Any) -> TaskGroupSpec:
    """The same from data, as a REST body brings it; it must have gone through `read` or JSON."""
    return _checked(data, None, None)


def load(
    text: str | bytes,
    *,
    site: SiteLimits,
    check_payload: CheckPayload,
    format: SpecFormat | None = None,  # noqa: A002 (a promised name)
    max_bytes: int = SPEC_BYTES,
) -> TaskGroupSpec:
    """`parse` and `validate` in one: every fault of every kind at once."""
    return _checked(read(text, format, max_bytes), site, check_payload)


def load_data(data: Any, *, site: SiteLimits, check_payload: CheckPayload) -> TaskGroupSpec:
    """The same from data that has been read already."""
    return _checked(data, site, check_payload)


def _checked(
    data: Any, site: SiteLimits | None, check_payload: CheckPayload | None
) -> TaskGroupSpec:
    spec, faults = _shaped(data)
    if spec is not None:
        if site is None or check_payload is None:
            meaning = structure_faults(spec)
        else:
            meaning = validate(spec, site=site, check_payload=check_payload)
        wrong = [fault.place for fault in faults]
        faults += [f for f in meaning if not _is_within(f.place, wrong)]
    if faults or spec is None:
        raise SpecInvalidError(faults)
    return spec


def _is_within(place: str, wrong: Sequence[str]) -> bool:
    """Whether something at the place or around it is told already."""
    return any(place == w or place.startswith((f"{w}.", f"{w}[")) for w in wrong if w)


def _shaped(data: Any) -> tuple[TaskGroupSpec | None, list[Fault]]:
    """The spec, mended where there are faults; None where it cannot be mended."""
    faults: list[Fault] = []
    for _ in range(MENDINGS):
        try:
            return TaskGroupSpec.model_validate(data), faults
        except ValidationError as error:
            found = error.errors(include_url=False, include_context=False, include_input=False)
        if not faults:
            faults = [Fault(place_of(e["loc"]), _words(e["type"], e["msg"])) for e in found]
        if not isinstance(data, dict):
            return None, faults
        data = _mended(data, [e["loc"] for e in found])
    return None, faults


def _words(kind: str, message: str) -> str:
    return WORDS.get(kind) or re.sub(r"^(Input|String|List) should", "must", message)


def _mended(data: dict[str, Any], wrong: Sequence[Location]) -> dict[str, Any]:
    """A copy without the wrong values; ids and names that must be there are made up."""
    copy = {**data, "name": data.get("name", MENDED)}
    if isinstance(copy.get("tasks"), list):
        copy["tasks"] = [_copied(task) for task in copy["tasks"]]
    for location in wrong:
        _take_out(copy, location)
    tasks = copy.get("tasks")
    if not isinstance(tasks, list) or not tasks:
        copy["tasks"] = tasks = [{}]
    for position, task in enumerate(tasks):
        task.setdefault("id", f"{MENDED}-{position}")
    copy.setdefault("name", MENDED)
    return copy


def _copied(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        return {}
    return {k: list(v) if isinstance(v, list) else v for k, v in value.items()}


def _take_out(data: dict[str, Any], location: Location) -> None:
    """Take the wrong value out: a field of the group, or a field (or need) of a task."""
    if location[0] != "tasks" or len(location) == 1:
        data.pop(str(location[0]), None)
        return
    task = data["tasks"][location[1]]
    if len(location) > 2:  # noqa: PLR2004 (tasks, position, field)
        task.pop(str(location[2]), None)
