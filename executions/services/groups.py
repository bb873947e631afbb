"""Task groups saved from specs, whole or not at all; and back to specs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import cache
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import transaction

from executions.models import Requirement, Resource, Secret, Task, TaskGroup, TaskType, Team
from executions.models.snapshots import site_limits
from executions.runners.references import reference_faults, references
from executions.runners.registry import check_payload, kinds
from executions.specs import (
    Fault,
    LimitsSpec,
    RequirementSpec,
    ResourceSpec,
    SpecInvalidError,
    TaskGroupSpec,
    TaskSpec,
    validate,
)

Before = Callable[[], AbstractSet[str]]
BATCH = 500
RUN_FIELDS = (
    "max_concurrency",
    "failure_strategy",
    "max_retries",
    "timeout_ms",
    "run_timeout_ms",
    "critical_first",
    "on_critical_failure",
    "planning",
)
"""What of a group configures a run, beside its own limits."""
GROUP_FIELDS = ("description", *RUN_FIELDS)


def spec_surroundings(completed: AbstractSet[str] = frozenset()) -> dict[str, Any]:
    """What specs are checked against here: the arguments of `specs.load`.

    `completed`: tasks outside the spec whose results are known.
    """
    secrets = cache(lambda: frozenset(Secret.objects.values_list("name", flat=True)))

    def check(runner: str, payload: Mapping[str, Any], before: Before) -> list[tuple[str, str]]:
        return [
            *check_payload(runner, payload, settings.PEXEC_RUNNERS),
            *reference_faults(payload, before=lambda: before() | completed, secrets=secrets),
            *_shown_secrets(runner, payload),
        ]

    return {"site": site_limits(), "check_payload": check}


def _shown_secrets(runner: str, payload: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Whoever takes external work sees its payload."""
    if runner == "external" and references(payload)[1]:
        return [("", "external work is shown to people: it cannot use secrets")]
    return []


def spec_check(spec: TaskGroupSpec, completed: AbstractSet[str] = frozenset()) -> None:
    """Raise SpecInvalidError with everything that keeps this spec from running here."""
    faults = validate(spec, **spec_surroundings(completed))
    if faults:
        raise SpecInvalidError(faults)


def may_define(user: Any, spec: TaskGroupSpec) -> None:
    """Raise PermissionDenied where the user may not define tasks like these."""
    if user is None:
        return
    runners = {task.runner for task in spec.tasks}
    dangerous = sorted(r for r in runners if r in kinds() and kinds()[r].dangerous)
    if dangerous and not user.has_perm("executions.define_dangerous"):
        raise PermissionDenied(f"you may not define tasks with runner {', '.join(dangerous)}")
    if not user.has_perm("executions.use_secrets"):
        for task in spec.tasks:
            if references(task.payload)[1]:
                raise PermissionDenied(f"you may not define tasks that use secrets ({task.id})")


def groups_definable(*, specs: Iterable[TaskGroupSpec], user: Any) -> None:
    """`may_define` for each."""
    for spec in specs:
        may_define(user, spec)


def make_resources(spec: TaskGroupSpec) -> None:
    """Make the resources that a spec lists and the site does not know."""
    for name, resource in spec.resources.items():
        Resource.objects.get_or_create(name=name, defaults={"capacity": resource.capacity})


def group_save(*, spec: TaskGroupSpec, user: Any, group: TaskGroup | None = None) -> TaskGroup:
    """Save a group, new or in place of what `group` was.

    Raises SpecInvalidError (also where the name is taken) or PermissionDenied; saves nothing then.
    """
    may_define(user, spec)
    others = TaskGroup.objects.filter(name=spec.name)
    if group is not None:
        others = others.exclude(pk=group.pk)
    if others.exists():
        raise SpecInvalidError([Fault("name", f"there is already a task group '{spec.name}'")])
    spec_check(spec)
    with transaction.atomic():
        make_resources(spec)
        group = group or TaskGroup(owner=user)
        group.name = spec.name
        group.limits = spec.limits.model_dump(exclude_defaults=True)
        for field in GROUP_FIELDS:
            setattr(group, field, getattr(spec, field))
        group.save()
        _replace_tasks(group, spec)
    return group


def groups_save(
    *, wanted: Sequence[tuple[TaskGroupSpec, TaskGroup | None]], user: Any
) -> list[TaskGroup]:
    """`group_save` of each, all or nothing."""
    with transaction.atomic():
        return [group_save(spec=spec, user=user, group=group) for spec, group in wanted]


def _replace_tasks(group: TaskGroup, spec: TaskGroupSpec) -> None:
    teams = {t.name: t for t in Team.objects.all()}
    types = {t.name: t for t in TaskType.objects.all()}
    resources = {r.name: r for r in Resource.objects.all()}
    group.tasks.all().delete()
    rows = Task.objects.bulk_create(
        [
            Task(
                group=group,
                position=n,
                task_id=task.id,
                title=task.title,
                runner=task.runner,
                payload=task.payload,
                priority=task.priority,
                team=teams.get(task.team or ""),
                task_type=types.get(task.task_type or ""),
                duration_s=task.duration_s,
                timeout_ms=task.timeout_ms,
                max_retries=task.max_retries,
            )
            for n, task in enumerate(spec.tasks)
        ],
        batch_size=BATCH,
    )
    by_id = {row.task_id: row for row in rows}
    Task.depends_on.through.objects.bulk_create(
        [
            Task.depends_on.through(from_task=by_id[task.id], to_task=by_id[needed])
            for task in spec.tasks
            for needed in dict.fromkeys(task.depends_on)
        ],
        batch_size=BATCH,
    )
    Requirement.objects.bulk_create(
        [
            Requirement(
                task=by_id[task.id],
                resource=resources[need.id],
                amount=need.amount,
                exclusive=need.exclusive,
            )
            for task in spec.tasks
            for need in task.required_resources
        ],
        batch_size=BATCH,
    )


def spec_of(group: TaskGroup) -> TaskGroupSpec:
    """The spec that would save this group again."""
    tasks = (
        group.tasks.select_related("team", "task_type")
        .prefetch_related("depends_on", "required_resources__resource")
        .order_by("position")
    )
    return TaskGroupSpec(
        name=group.name,
        limits=LimitsSpec(**group.limits),
        **{field: getattr(group, field) for field in GROUP_FIELDS},
        tasks=[
            TaskSpec(
                id=task.task_id,
                title=task.title,
                runner=task.runner,
                payload=task.payload,
                priority=task.priority,
                team=task.team.name if task.team else None,
                task_type=task.task_type.name if task.task_type else None,
                required_resources=[
                    RequirementSpec(
                        id=need.resource.name, amount=need.amount, exclusive=need.exclusive
                    )
                    for need in task.required_resources.all()
                ],
                depends_on=[needed.task_id for needed in task.depends_on.all()],
                duration_s=task.duration_s,
                timeout_ms=task.timeout_ms,
                max_retries=task.max_retries,
            )
            for task in tasks
        ],
    )


def spec_exported(group: TaskGroup) -> TaskGroupSpec:
    """The spec that would save this group on another site: it lists the resources it needs."""
    spec = spec_of(group)
    needed = {need.id for task in spec.tasks for need in task.required_resources}
    found = Resource.objects.filter(name__in=needed, capacity__gt=0).order_by("name")
    resources = {resource.name: ResourceSpec(capacity=resource.capacity) for resource in found}
    return spec.model_copy(update={"resources": resources})


def group_delete(*, group: TaskGroup) -> None:
    """Delete a group; its executions stay."""
    group.delete()
