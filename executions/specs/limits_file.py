"""The file of the site's limits: teams, task types and resources, read and written.

What a file does not name stays as it is.
"""

from __future__ import annotations

import json
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from executions.specs.faults import SpecInvalidError
from executions.specs.parsing import shape_faults
from executions.specs.reading import SPEC_BYTES, read
from executions.specs.shapes import COUNT_LIMIT, LimitName, Shape, Title
from executions.specs.yaml_text import yaml_text

LimitsFormat = Literal["yaml", "json"]
Maximum = Annotated[int, Field(ge=0, le=COUNT_LIMIT)]


class LaneLimit(Shape):
    """A team or a task type; no description: the present one stays."""

    max_parallel: Maximum
    description: Title | None = None

    @property
    def maximum(self) -> int:
        """How many at once."""
        return self.max_parallel


class ResourceLimit(Shape):
    """A resource; no description: the present one stays."""

    capacity: Maximum
    description: Title | None = None

    @property
    def maximum(self) -> int:
        """How many units there are."""
        return self.capacity


class LimitsFile(Shape):
    """Limits by kind and name."""

    teams: dict[LimitName, LaneLimit] = {}
    task_types: dict[LimitName, LaneLimit] = {}
    resources: dict[LimitName, ResourceLimit] = {}


def limits_read(text: str | bytes, *, form: LimitsFormat | None = None) -> LimitsFile:
    """The limits a file names. Raises SpecInvalidError with every fault and its place."""
    data = read(text, form or _guess(text), SPEC_BYTES)
    try:
        return LimitsFile.model_validate(data)
    except ValidationError as error:
        raise SpecInvalidError(shape_faults(error)) from None


def _guess(text: str | bytes) -> LimitsFormat:
    start = text.lstrip()[:1]
    return "json" if start in ("{", b"{") else "yaml"


def limits_text(limits: LimitsFile, form: LimitsFormat) -> str:
    """The limits as text that reads back to the same."""
    data = limits.model_dump(mode="json", exclude_defaults=True)
    if form == "json":
        return json.dumps(data, indent=2, ensure_ascii=False) + "\n"
    return yaml_text(data)
