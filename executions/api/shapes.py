"""What REST answers look like: one serializer a thing, also the OpenAPI document's source."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from executions import services
from executions.api.parsing import Asked
from executions.scheduling.conditions import change_of, limit_at
from executions.scheduling.model import ExecutionState, LimitKey, Outcome, TaskState
from executions.specs import TaskGroupSpec


def one_of(words: type[StrEnum], **more: Any) -> serializers.ChoiceField:
    """A field that is one of these words; the enum lends its name to the document."""
    return serializers.ChoiceField(choices=[(word.value, word.name) for word in words], **more)


class ExecutionShape(serializers.Serializer[Any]):
    """One execution."""

    id = serializers.CharField(source="public_id")
    name = serializers.CharField()
    status = one_of(ExecutionState, source="state")
    outcome = one_of(Outcome, allow_blank=True)
    error = serializers.CharField()
    task_group = serializers.IntegerField(source="group_id", allow_null=True)
    parent_execution = serializers.SerializerMethodField()
    submitted_by = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    completed_at = serializers.DateTimeField(allow_null=True)
    total = serializers.IntegerField()
    counts = serializers.DictField(child=serializers.IntegerField())
    config = serializers.DictField()

    def get_parent_execution(self, execution: Any) -> str | None:
        """The execution this one retries."""
        return f"PEXEC-{execution.parent_id}" if execution.parent_id else None

    def get_submitted_by(self, execution: Any) -> str | None:
        """Who asked for it."""
        return execution.submitted_by.get_username() if execution.submitted_by else None


class SubmissionShape(Asked):
    """What to run: a saved task group (its key or name), or a spec."""

    task_group = serializers.JSONField(required=False, help_text="Key or name of a task group.")
    spec = serializers.DictField(required=False, help_text="See schema/task-group.json.")


class GroupShape(serializers.Serializer[Any]):
    """A task group in a list."""

    id = serializers.IntegerField(source="pk")
    name = serializers.CharField()
    description = serializers.CharField()
    owner = serializers.SerializerMethodField()
    tasks = serializers.IntegerField(source="task_count")
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()

    def get_owner(self, group: Any) -> str | None:
        """Who made it."""
        return group.owner.get_username() if group.owner else None


class SavedGroup(TaskGroupSpec):
    """A task group as its spec, with what the site knows of it beside."""

    id: int
    owner: str | None
    created_at: datetime
    updated_at: datetime


class TaskRunShape(serializers.Serializer[Any]):
    """One task of an execution."""

    id = serializers.CharField()
    position = serializers.IntegerField()
    title = serializers.CharField()
    runner = serializers.CharField()
    priority = serializers.IntegerField()
    team = serializers.CharField(allow_null=True)
    task_type = serializers.CharField(allow_null=True)
    required_resources = serializers.ListField(child=serializers.DictField())
    depends_on = serializers.ListField(child=serializers.CharField())
    duration_s = serializers.FloatField(allow_null=True)
    duration_source = serializers.CharField()
    status = one_of(TaskState)
    since = serializers.CharField()
    attempts = serializers.IntegerField()
    not_before = serializers.CharField(allow_null=True)
    started_at = serializers.CharField(allow_null=True)
    finished_at = serializers.CharField(allow_null=True)
    duration_ms = serializers.IntegerField(allow_null=True)
    reason = serializers.CharField()
    error = serializers.CharField()
    skipped_because_of = serializers.CharField()
    result = serializers.JSONField()
    waits_for = serializers.ListField(child=serializers.CharField())
    reserved_for = serializers.CharField()
    waited_s = serializers.DictField(child=serializers.FloatField())
    progress = serializers.FloatField(allow_null=True)
    progress_line = serializers.CharField()
    claimed_by = serializers.CharField(allow_null=True)


class OutputShape(serializers.Serializer[Any]):
    """What an attempt printed, from byte `offset` on; ask again with `after=next`."""

    attempt = serializers.IntegerField()
    offset = serializers.IntegerField()
    next = serializers.IntegerField()
    text = serializers.CharField()
    is_over = serializers.BooleanField()


class TimelineShape(serializers.Serializer[Any]):
    """One attempt on the timeline, in epoch seconds."""

    id = serializers.CharField()
    started_at = serializers.FloatField()
    finished_at = serializers.FloatField(allow_null=True)
    status = serializers.CharField()
    attempt = serializers.IntegerField()


class HolderShape(serializers.Serializer[Any]):
    """Who holds units of a limit; execution and task are hidden from who may not see them."""

    execution = serializers.CharField(allow_null=True)
    task = serializers.CharField(allow_null=True)
    units = serializers.IntegerField()
    since = serializers.DateTimeField()


class LimitShape(serializers.Serializer[Any]):
    """A team, task type or resource, and its use now."""

    name = serializers.CharField()
    maximum = serializers.IntegerField(help_text="max_parallel, or a resource's capacity")
    used = serializers.IntegerField()
    waiting = serializers.IntegerField(help_text="Queued tasks that wait for it.")
    holders = HolderShape(many=True)


class LimitChangeShape(Asked):
    """A limit's new value: it holds from the next decision on, also in running executions."""

    maximum = serializers.IntegerField(min_value=0, max_value=1_000_000)
    reason = serializers.CharField(required=False, default="", allow_blank=True, max_length=100)


class ChangesShape(Asked):
    """Limits as they might be, by `max_concurrency`, `workers`, `team.NAME`, `resource.NAME`."""

    set = serializers.DictField(
        child=serializers.IntegerField(min_value=0, max_value=1_000_000), required=False, default={}
    )

    def validate_set(self, value: dict[str, int]) -> dict[LimitKey, int]:
        """By the limit each path means."""
        found: dict[LimitKey, int] = {}
        faults = {}
        for path, number in value.items():
            try:
                found.update([change_of(limit_at(path), number)])
            except ValueError as error:
                faults[path] = [str(error)]
        if faults:
            raise serializers.ValidationError(faults)
        return found


class RetryShape(Asked):
    """Which tasks to try again: all that did not complete, or `only` those and what they need."""

    only = serializers.ListField(
        child=serializers.CharField(max_length=200), required=False, allow_null=True, default=None
    )
    with_skipped = serializers.BooleanField(required=False, default=False)


class ClaimShape(Asked):
    """Which work to take."""

    team = serializers.CharField(required=False, default="", allow_blank=True, max_length=64)


class WorkShape(serializers.Serializer[Any]):
    """Work that was taken. Without a heartbeat before the deadline it is offered again."""

    token = serializers.CharField()
    execution = serializers.CharField(source="execution.public_id")
    task = serializers.CharField(source="task_run.task_id")
    title = serializers.CharField(source="task_run.title")
    team = serializers.CharField(source="task_run.team")
    payload = serializers.SerializerMethodField()
    attempt = serializers.IntegerField(source="number")
    claim_deadline = serializers.DateTimeField()

    @extend_schema_field(serializers.JSONField())
    def get_payload(self, attempt: Any) -> Any:
        """What is asked for, results of earlier tasks filled in."""
        return services.work_payload(attempt=attempt)


class HeartbeatShape(Asked):
    """How far the work is."""

    progress = serializers.FloatField(
        required=False, default=None, allow_null=True, min_value=0, max_value=100
    )
    line = serializers.CharField(required=False, default="", allow_blank=True, max_length=200)


class CompletionShape(Asked):
    """What the work came to."""

    result = serializers.JSONField(required=False, default=None, allow_null=True)


class FailureShape(Asked):
    """Why the work failed."""

    error = serializers.CharField(max_length=4000)


class ForceCloseShape(Asked):
    """Which attempt to declare lost (the one that is live), and why."""

    attempt = serializers.IntegerField(required=False, min_value=1, max_value=2**31 - 1)
    reason = serializers.CharField(max_length=200)


class FaultShape(serializers.Serializer[Any]):
    """One thing wrong with what was sent."""

    place = serializers.CharField(allow_blank=True)
    message = serializers.CharField()


class ProblemShape(serializers.Serializer[Any]):
    """An error as `application/problem+json`."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    faults = FaultShape(many=True, required=False)


class AuditShape(serializers.Serializer[Any]):
    """One deed; `by` empty: the site itself."""

    at = serializers.DateTimeField()
    by = serializers.CharField()
    verb = serializers.CharField()
    target = serializers.CharField()
    details = serializers.DictField()


class SecretShape(serializers.Serializer[Any]):
    """A secret, without its value."""

    name = serializers.CharField()
    description = serializers.CharField()
    changed_at = serializers.DateTimeField()


class SecretValueShape(Asked):
    """Another value for a secret."""

    value = serializers.CharField(
        min_length=services.SECRET_CHARACTERS,
        max_length=services.SECRET_CHARACTERS_MOST,
        trim_whitespace=False,
        write_only=True,
        style={"input_type": "password"},
    )
    description = serializers.CharField(
        max_length=200, required=False, allow_blank=True, default=None, allow_null=True
    )


class NewSecretShape(SecretValueShape):
    """A secret and its value."""

    name = serializers.CharField(max_length=64)
    description = serializers.CharField(
        max_length=200, required=False, allow_blank=True, default=""
    )


class CredentialsShape(Asked):
    """Who wants a token."""

    username = serializers.CharField(max_length=150)
    password = serializers.CharField(max_length=128, trim_whitespace=False)
    scope = serializers.ChoiceField(
        choices=[s.value for s in services.Scope],
        default=services.Scope.READ.value,
        help_text="read: look; operate: run what is saved, too; configure: all the user may.",
    )
    days = serializers.IntegerField(
        min_value=1, max_value=366, default=90, help_text="How long it is good for."
    )


class TokenShape(serializers.Serializer[Any]):
    """A token, told this once."""

    token = serializers.CharField()
    scope = serializers.CharField()
    expires_at = serializers.DateTimeField(allow_null=True)
