"""The shape of a task group spec: names, types, bounds and defaults, as users write them."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from executions.scheduling.model import DEFAULT_PRIORITY, OnCriticalFailure, Strategy

TASK_LIMIT: Final = 100_000
YEAR_MS: Final = 366 * 24 * 3600 * 1000
YEAR_S: Final = YEAR_MS / 1000
COUNT_LIMIT: Final = 1_000_000
RETRIES_LIMIT: Final = 1000
NEEDS_LIMIT: Final = 100

TaskId = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^\w[\w.:+@-]*$")]
"""Letters, digits, `_ . : + @ -`: it stands in addresses."""
LimitName = Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
Title = Annotated[
    str,
    Field(
        max_length=200,
        pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]*$",
    ),
]
"""Without control characters, breaks of lines, and what turns the text around it."""
TimeLimitMs = Annotated[int, Field(ge=1, le=YEAR_MS)]
Retries = Annotated[int, Field(ge=0, le=RETRIES_LIMIT)]
Count = Annotated[int, Field(ge=1, le=COUNT_LIMIT)]


class Shape(BaseModel):
    """What all parts of a spec have in common: nothing unknown, nothing guessed."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class RequirementSpec(Shape):
    """A need for a resource: alone (`exclusive`), else `amount` units."""

    id: LimitName
    exclusive: bool = False
    amount: Count = 1


class TaskSpec(Shape):
    """One piece of work. A task that names no runner does nothing (`noop`)."""

    id: TaskId
    title: Title = ""
    runner: Annotated[str, Field(min_length=1, max_length=32)] = "noop"
    payload: dict[str, Any] = {}
    priority: Annotated[int, Field(ge=0, le=100)] = DEFAULT_PRIORITY
    team: LimitName | None = None
    task_type: LimitName | None = None
    required_resources: Annotated[list[RequirementSpec], Field(max_length=NEEDS_LIMIT)] = []
    depends_on: list[str] = []
    duration_s: Annotated[float, Field(ge=0, le=YEAR_S)] | None = None
    timeout_ms: TimeLimitMs | None = None
    max_retries: Retries | None = None


class LimitsSpec(Shape):
    """A group's own limits beside the site's; the lower holds."""

    team: dict[LimitName, Count] = {}
    task_type: dict[LimitName, Count] = {}


class ResourceSpec(Shape):
    """A resource to be made where the site does not know it."""

    capacity: Count = 1


class TaskGroupSpec(Shape):
    """A named set of tasks with its configuration."""

    name: Annotated[Title, Field(min_length=1)]
    description: Annotated[str, Field(max_length=10_000)] = ""
    max_concurrency: Count = 5
    failure_strategy: Annotated[Strategy, Field(strict=False)] = Strategy.CONTINUE_ON_FAILURE
    max_retries: Retries = 2
    timeout_ms: TimeLimitMs = 3_600_000
    run_timeout_ms: TimeLimitMs | None = None
    critical_first: bool = False
    on_critical_failure: Annotated[OnCriticalFailure, Field(strict=False)] = OnCriticalFailure.STOP
    planning: bool = True
    limits: LimitsSpec = LimitsSpec()
    resources: dict[LimitName, ResourceSpec] = {}
    tasks: Annotated[list[TaskSpec], Field(min_length=1, max_length=TASK_LIMIT)]
