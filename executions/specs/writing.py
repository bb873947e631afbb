"""From a TaskGroupSpec outwards: text again, the brain's nouns, the JSON Schema."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from executions.scheduling.model import (
    WITHOUT_WORKER,
    Group,
    LimitKey,
    LimitKind,
    Requirement,
    Task,
    limit_key,
)
from executions.specs.parsing import SEVERAL
from executions.specs.reading import CSV_COLUMNS, CSV_TEXTS, SpecFormat, guarded
from executions.specs.shapes import TaskGroupSpec, TaskSpec
from executions.specs.yaml_text import yaml_text


def plain(spec: TaskGroupSpec) -> dict[str, Any]:
    """The spec as JSON data, without what is as it would be anyway."""
    return spec.model_dump(mode="json", exclude_defaults=True)


def dump(spec: TaskGroupSpec, format: SpecFormat) -> str:  # noqa: A002 (a promised name)
    """The spec as text that parses to the same spec; CSV keeps the tasks only."""
    if format == "csv":
        return _csv_text(spec)
    if format == "json":
        return json.dumps(plain(spec), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    return yaml_text(plain(spec))


def dump_several(specs: Sequence[TaskGroupSpec], form: Literal["yaml", "json"]) -> str:
    """Several specs as one text that `load_several` reads back to the same."""
    data = {SEVERAL: [plain(spec) for spec in specs]}
    if form == "json":
        return json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    return yaml_text(data)


def _csv_text(spec: TaskGroupSpec) -> str:
    file = io.StringIO()
    rows = [_csv_row(task) for task in spec.tasks]
    used = [c for c in CSV_COLUMNS if any(c in row for row in rows)]
    writer = csv.DictWriter(file, used, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


def _csv_row(task: TaskSpec) -> dict[str, Any]:
    row = task.model_dump(mode="json", exclude_defaults=True)
    row |= {name: guarded(row[name]) for name in CSV_TEXTS if name in row}
    if "payload" in row:
        row["payload"] = json.dumps(row["payload"], ensure_ascii=False)
    if "depends_on" in row:
        row["depends_on"] = ";".join(row["depends_on"])
    if "required_resources" in row:
        row["required_resources"] = ";".join(
            f"{need.id}!" if need.exclusive else f"{need.id}:{need.amount}"
            for need in task.required_resources
        )
    return row


def group_of(spec: TaskGroupSpec) -> Group:
    """The group as the brain sees it."""
    own = ((LimitKind.TEAM, spec.limits.team), (LimitKind.TASK_TYPE, spec.limits.task_type))
    return Group(
        name=spec.name,
        tasks=tuple(_task_of(task) for task in spec.tasks),
        max_concurrency=spec.max_concurrency,
        strategy=spec.failure_strategy,
        max_retries=spec.max_retries,
        timeout_s=spec.timeout_ms / 1000,
        run_timeout_s=None if spec.run_timeout_ms is None else spec.run_timeout_ms / 1000,
        critical_first=spec.critical_first,
        on_critical_failure=spec.on_critical_failure,
        planning=spec.planning,
        limits={limit_key(kind, n): most for kind, names in own for n, most in names.items()},
    )


def limits_with(spec: TaskGroupSpec, site: Mapping[LimitKey, int]) -> dict[LimitKey, int]:
    """The site's limits, and the resources that the spec lists and the site does not know."""
    listed = {limit_key(LimitKind.RESOURCE, name): r.capacity for name, r in spec.resources.items()}
    return {**listed, **site}


def _task_of(task: TaskSpec) -> Task:
    return Task(
        id=task.id,
        priority=task.priority,
        team=task.team,
        task_type=task.task_type,
        requirements=tuple(
            Requirement(need.id, need.amount, need.exclusive) for need in task.required_resources
        ),
        depends_on=tuple(task.depends_on),
        duration_s=task.duration_s,
        timeout_s=None if task.timeout_ms is None else task.timeout_ms / 1000,
        max_retries=task.max_retries,
        needs_worker=task.runner not in WITHOUT_WORKER,
    )


def json_schema() -> dict[str, Any]:
    """JSON Schema of a spec."""
    schema = TaskGroupSpec.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
