"""What reports, plans and what-ifs look like, for the OpenAPI document; made elsewhere as data."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from executions.api.shapes import one_of
from executions.scheduling.estimates import DurationSource
from executions.scheduling.lint import Finding
from executions.scheduling.model import (
    AttemptState,
    ExecutionState,
    Outcome,
    Reason,
    Strategy,
    TaskState,
)


def _ids(**options: Any) -> serializers.ListField:
    return serializers.ListField(child=serializers.CharField(), **options)


class BindingLimitShape(serializers.Serializer[Any]):
    """A limit that was waited for: `share` of the run for it alone, and task-seconds in all."""

    limit = serializers.CharField()
    share = serializers.FloatField()
    waited_s = serializers.FloatField()


class LimitsMovedShape(serializers.Serializer[Any]):
    """A limit as it is and as it might be."""

    limit = serializers.CharField()
    to = serializers.IntegerField()

    def get_fields(self) -> dict[str, Any]:
        """`from` is a word of Python's own."""
        return {**super().get_fields(), "from": serializers.IntegerField()}


class AdviceShape(LimitsMovedShape):
    """What one more of a limit would save, by replay."""

    saves_s = serializers.FloatField()
    text = serializers.CharField(help_text="The same for people.")


class ScheduledShape(serializers.Serializer[Any]):
    """When a task runs, in seconds from the start of the run."""

    id = serializers.CharField()
    started_at = serializers.FloatField(allow_null=True)
    finished_at = serializers.FloatField(allow_null=True)
    status = one_of(TaskState)


class ForecastShape(serializers.Serializer[Any]):
    """How the run is expected to go; no makespan where something needed is closed."""

    makespan_s = serializers.FloatField(allow_null=True)
    schedule = ScheduledShape(many=True)


class ConflictShape(serializers.Serializer[Any]):
    """Two tasks that cannot hold the resource at the same time."""

    tasks = _ids()
    resource = serializers.CharField()


class ParallelGroupShape(serializers.Serializer[Any]):
    """Tasks that may run at the same time."""

    level = serializers.IntegerField()
    tasks = _ids()
    can_parallel = serializers.BooleanField()
    conflicts = ConflictShape(many=True)
    estimated_speedup = serializers.FloatField()


class LintShape(serializers.Serializer[Any]):
    """Something about limits or tasks that is worth a look before the run."""

    finding = one_of(Finding)
    limit = serializers.CharField(allow_blank=True)
    tasks = _ids()
    message = serializers.CharField()


class DurationShape(serializers.Serializer[Any]):
    """How long a task is taken to last, and who says so."""

    duration_s = serializers.FloatField()
    source = one_of(DurationSource)  # type: ignore[assignment]


class PlanShape(serializers.Serializer[Any]):
    """What is known of a task group before it runs."""

    groups = ParallelGroupShape(many=True)
    dependencies = serializers.DictField(child=_ids())
    forecast = ForecastShape()
    lower_bound_s = serializers.FloatField()
    lower_bound_by = serializers.CharField()
    critical_path = _ids()
    binding = BindingLimitShape()
    advice = AdviceShape(many=True)
    lint = LintShape(many=True)
    duration_sources = serializers.DictField(child=serializers.IntegerField())
    durations = serializers.DictField(child=DurationShape())
    ranks = serializers.DictField(child=serializers.IntegerField())
    holds = serializers.DictField(child=serializers.FloatField())
    speedup_factor = serializers.FloatField()
    unneeded = _ids(help_text="Of the limits set, those that no task needs.")


class WhatIfShape(serializers.Serializer[Any]):
    """The run, its replay and its replay under the changes, in seconds."""

    real_s = serializers.FloatField(allow_null=True)
    replayed_s = serializers.FloatField()
    error = serializers.FloatField(allow_null=True, help_text="Of the replay; 0.01 is 1 %.")
    makespan_s = serializers.FloatField()
    saves_s = serializers.FloatField()
    changes = LimitsMovedShape(many=True)
    binding_limits = BindingLimitShape(many=True)
    waits = serializers.DictField(child=serializers.DictField(child=serializers.FloatField()))
    advice = AdviceShape(many=True)
    schedule = ScheduledShape(many=True)
    unneeded = _ids(help_text="Of the limits set, those that no task needs.")


class ExpectedEndShape(serializers.Serializer[Any]):
    """When the run will end if it goes on as so far; null where that cannot be said."""

    expected_end_at = serializers.DateTimeField(allow_null=True)


class ReportConfigShape(serializers.Serializer[Any]):
    """How the execution was to run."""

    max_concurrency = serializers.IntegerField()
    fail_fast = serializers.BooleanField()
    timeout_ms = serializers.IntegerField(allow_null=True)
    failure_strategy = one_of(Strategy)
    max_retries = serializers.IntegerField()
    critical_first = serializers.BooleanField()
    run_timeout_ms = serializers.IntegerField(required=False)
    on_critical_failure = serializers.CharField(required=False)
    limits = serializers.DictField(
        child=serializers.DictField(child=serializers.IntegerField()), required=False
    )


class ReportTasksShape(serializers.Serializer[Any]):
    """How many tasks ended how, and all their ids."""

    total = serializers.IntegerField()
    completed = serializers.IntegerField()
    failed = serializers.IntegerField()
    skipped = serializers.IntegerField()
    cancelled = serializers.IntegerField()
    ids = _ids()


class ReportResultShape(serializers.Serializer[Any]):
    """What came of one task; only what is known of it is there."""

    status = one_of(TaskState)
    started_at = serializers.DateTimeField(required=False)
    completed_at = serializers.DateTimeField(required=False)
    failed_at = serializers.DateTimeField(required=False)
    cancelled_at = serializers.DateTimeField(required=False)
    duration_ms = serializers.IntegerField(required=False, allow_null=True)
    attempts = serializers.IntegerField()
    result = serializers.JSONField(required=False)
    error = serializers.CharField(required=False)
    reason = one_of(Reason, required=False)
    skipped_because_of = serializers.CharField(required=False)


class ReportTimingShape(serializers.Serializer[Any]):
    """How long it took, what it would have taken alone, and the least it could have taken."""

    started_at = serializers.DateTimeField(allow_null=True)
    completed_at = serializers.DateTimeField(allow_null=True)
    total_duration_ms = serializers.IntegerField()
    sequential_estimate_ms = serializers.IntegerField()
    speedup_factor = serializers.FloatField()
    lower_bound_ms = serializers.IntegerField()
    lower_bound_by = serializers.CharField()
    efficiency = serializers.FloatField()


class ReportResourcesShape(serializers.Serializer[Any]):
    """How much ran at once, and what kept more from it."""

    peak_concurrency = serializers.IntegerField()
    avg_concurrency = serializers.FloatField()
    binding_limits = BindingLimitShape(many=True)


class FailedAttemptShape(serializers.Serializer[Any]):
    """One try of a task that failed in the end."""

    number = serializers.IntegerField()
    state = one_of(AttemptState)
    started_at = serializers.DateTimeField(allow_null=True)
    failed_at = serializers.DateTimeField(required=False, allow_null=True)
    finished_at = serializers.DateTimeField(required=False, allow_null=True)
    reason = serializers.CharField(allow_blank=True)
    error = serializers.CharField(allow_blank=True)
    exit_code = serializers.IntegerField(allow_null=True)
    output_tail = serializers.CharField(allow_blank=True)


class FailureRowShape(serializers.Serializer[Any]):
    """A task that failed of itself, and what was skipped because of it."""

    task_id = serializers.CharField()
    reason = one_of(Reason)
    error = serializers.CharField(allow_blank=True)
    attempts = FailedAttemptShape(many=True)
    skipped_because_of_it = _ids()


class ParallelExecutionShape(serializers.Serializer[Any]):
    """A report; of a running execution, as it stands."""

    id = serializers.CharField()
    name = serializers.CharField()
    status = one_of(ExecutionState)
    outcome = one_of(Outcome, allow_blank=True)
    error = serializers.CharField(allow_blank=True)
    parent = serializers.CharField(allow_null=True)  # type: ignore[assignment]
    config = ReportConfigShape()
    tasks = ReportTasksShape()
    results = serializers.DictField(child=ReportResultShape())
    timing = ReportTimingShape()
    resources = ReportResourcesShape()
    failure_report = FailureRowShape(many=True)


class ReportShape(serializers.Serializer[Any]):
    """The four things at the end: results, timing, failures, resources."""

    parallel_execution = ParallelExecutionShape()
