"""Executions, their task runs and attempts, and what the dispatcher needs to carry on.

Once an execution is open only the dispatcher writes its rows, each transaction fenced by its term;
people's wishes come in as `Command` rows.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.db import models
from django.db.models.functions import Now
from django.db.models.signals import pre_delete
from django.dispatch import receiver

from executions.models.groups import TaskGroup
from executions.models.limits import Team
from executions.scheduling.model import (
    FINAL_TASK_STATES,
    OPEN_EXECUTION_STATES,
    AttemptState,
    ExecutionState,
    Outcome,
    Reason,
    TaskState,
)

EXECUTION_ID_PREFIX = "PEXEC-"


class Execution(models.Model):
    """One run of a task group. Its key is its epoch millisecond; people see `PEXEC-<key>`."""

    id = models.BigIntegerField(primary_key=True)
    group = models.ForeignKey(
        TaskGroup, null=True, blank=True, on_delete=models.SET_NULL, related_name="executions"
    )
    owning_teams = models.ManyToManyField(
        Team, blank=True, related_name="+", help_text="Those of its group when that was deleted."
    )
    name = models.CharField(max_length=200)
    config = models.JSONField(help_text="The group's configuration as it was, in spec names.")
    state = models.CharField(
        max_length=16,
        choices=[(s.value, s.value) for s in ExecutionState],
        default=ExecutionState.PENDING.value,
    )
    outcome = models.CharField(
        max_length=16, blank=True, choices=[(s.value, s.value) for s in Outcome]
    )
    error = models.TextField(blank=True, help_text="Why it failed, in words.")
    stopping_to = models.CharField(max_length=16, blank=True)
    submitted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    parent = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.SET_NULL, related_name="retries"
    )
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    completed_at = models.DateTimeField(null=True, blank=True)
    seq = models.BigIntegerField(
        default=0, help_text="Number of the live frame its last change is in."
    )
    total = models.PositiveIntegerField(default=0)
    counts = models.JSONField(default=dict, help_text="Task runs by state; written with them.")
    plan = models.JSONField(default=dict, help_text="Forecast when it was submitted, in seconds.")
    alone = models.JSONField(default=dict, help_text="Seconds some task waited for a limit alone.")
    waited = models.JSONField(default=dict, help_text="Task-seconds waited, by what for.")
    summed_at = models.DateTimeField(
        null=True, blank=True, help_text="Up to when those two are summed up."
    )
    idempotency_key = models.CharField(max_length=200, null=True, blank=True)
    request_digest = models.CharField(max_length=64, blank=True)

    class Meta:
        ordering = ("-id",)
        permissions = (("force_close", "Can declare an attempt lost that its worker still holds"),)
        constraints = (
            models.UniqueConstraint(
                fields=("submitted_by", "idempotency_key"), name="idempotency_key_unique"
            ),
        )
        indexes = (
            models.Index(
                fields=("state",),
                name="execution_open",
                condition=models.Q(state__in=sorted(OPEN_EXECUTION_STATES)),
            ),
        )

    def __str__(self) -> str:
        return self.public_id

    @property
    def public_id(self) -> str:
        """`PEXEC-<epoch milliseconds>`."""
        return f"{EXECUTION_ID_PREFIX}{self.pk}"

    @property
    def ended(self) -> int:
        """How many task runs are over, however they went: its progress."""
        return sum(self.counts.get(state, 0) for state in FINAL_TASK_STATES)


@receiver(pre_delete, sender=TaskGroup)
def _hand_over_to_teams(instance: TaskGroup, **_: Any) -> None:
    """Runs outlive their group and stay with the teams that owned it."""
    teams = list(instance.owning_teams.all())
    owned = Execution.owning_teams.through
    keys = instance.executions.values_list("pk", flat=True) if teams else ()
    owned.objects.bulk_create(
        (owned(execution_id=pk, team_id=team.pk) for pk in keys for team in teams),
        ignore_conflicts=True,
        batch_size=500,
    )


class TaskRun(models.Model):
    """One task within one execution: what was asked for, and how it stands."""

    execution = models.ForeignKey(
        Execution, on_delete=models.CASCADE, related_name="task_runs", db_index=False
    )
    position = models.PositiveIntegerField()
    task_id = models.CharField(max_length=100)
    # as it was asked for
    title = models.CharField(max_length=200, blank=True)
    runner = models.CharField(max_length=32)
    payload = models.JSONField(default=dict)
    priority = models.PositiveSmallIntegerField()
    team = models.CharField(max_length=64, blank=True)
    task_type = models.CharField(max_length=64, blank=True)
    required_resources = models.JSONField(default=list)
    depends_on = models.JSONField(default=list, help_text="Task ids.")
    duration_s = models.FloatField(null=True)
    duration_source = models.CharField(
        max_length=16, blank=True, help_text="task | history | group | default"
    )
    timeout_ms = models.PositiveBigIntegerField(null=True)
    max_retries = models.PositiveIntegerField(null=True)
    rank = models.PositiveIntegerField(null=True, help_text="Its place in the plan's order.")
    demand = models.PositiveIntegerField(
        default=0, help_text="Its demand class; what that waits for is in Demand."
    )
    # how it stands
    state = models.CharField(max_length=16, choices=[(s.value, s.value) for s in TaskState])
    since = models.DateTimeField(help_text="When it entered its state.")
    attempts = models.PositiveIntegerField(default=0)
    failures = models.PositiveIntegerField(default=0)
    losses = models.PositiveIntegerField(default=0)
    not_before = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True, help_text="Of its last attempt.")
    finished_at = models.DateTimeField(null=True)
    reason = models.CharField(
        max_length=16, blank=True, choices=[(s.value, s.value) for s in Reason]
    )
    error = models.TextField(blank=True)
    skipped_because_of = models.CharField(max_length=100, blank=True)
    result = models.JSONField(null=True)
    waits = models.JSONField(default=dict, help_text="Seconds waited, by what for.")

    class Meta:
        ordering = ("execution", "position")
        constraints = (
            models.UniqueConstraint(fields=("execution", "position"), name="task_run_position"),
            models.UniqueConstraint(fields=("execution", "task_id"), name="task_run_task_id"),
        )

    def __str__(self) -> str:
        return self.task_id


class Attempt(models.Model):
    """One try at a task run. It holds a slot from `dispatched_at` to `released_at`."""

    task_run = models.ForeignKey(
        TaskRun, on_delete=models.CASCADE, related_name="attempt_log", db_index=False
    )
    execution = models.ForeignKey(
        Execution, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    number = models.PositiveIntegerField()
    token = models.CharField(max_length=32)
    worker = models.CharField(max_length=64, blank=True)
    state = models.CharField(max_length=16, choices=[(s.value, s.value) for s in AttemptState])
    dispatched_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    released_at = models.DateTimeField(null=True)
    reason = models.CharField(
        max_length=16, blank=True, choices=[(s.value, s.value) for s in Reason]
    )
    error = models.TextField(blank=True)
    exit_code = models.IntegerField(null=True)
    progress = models.FloatField(null=True)
    progress_line = models.CharField(max_length=200, blank=True)
    claimed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.SET_NULL,
        related_name="+",
        db_index=False,
    )
    claim_deadline = models.DateTimeField(null=True)
    # the way around Redis
    stop_asked_at = models.DateTimeField(null=True, help_text="When its worker was to stop it.")
    told = models.JSONField(null=True, help_text="Its end, told here because Redis was not heard.")

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("task_run", "number"), name="attempt_number"),
            models.UniqueConstraint(fields=("token",), name="attempt_token"),
        )
        indexes = (
            models.Index(fields=("execution",), name="attempt_of_execution"),
            models.Index(
                fields=("worker",), name="attempt_live", condition=models.Q(released_at=None)
            ),
            models.Index(
                fields=("worker",),
                name="attempt_told",
                condition=models.Q(released_at=None, told__isnull=False),
            ),
            models.Index(
                fields=("claimed_by",),
                name="attempt_claimed",
                condition=models.Q(claimed_by__isnull=False),
            ),
        )

    def __str__(self) -> str:
        return f"attempt {self.number}"


class AttemptOutput(models.Model):
    """What an attempt printed: its head and its tail, and how much there was in all."""

    attempt = models.OneToOneField(Attempt, on_delete=models.CASCADE, related_name="output")
    head = models.BinaryField(default=b"")
    tail = models.BinaryField(default=b"")
    total_bytes = models.BigIntegerField(default=0)


class Demand(models.Model):
    """Tasks of one execution that ask for the same things, and what they wait for now."""

    execution = models.ForeignKey(Execution, on_delete=models.CASCADE, related_name="demands")
    number = models.PositiveIntegerField()
    keys = models.JSONField(default=list, help_text="LimitKeys or Holds.")
    queued = models.PositiveIntegerField(default=0)
    since = models.DateTimeField(null=True)
    reserved_for = models.CharField(max_length=100, blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("execution", "number"), name="demand_number"),
        )


class CommandVerb(models.TextChoices):
    """What a person can ask of the dispatcher."""

    CANCEL = "cancel"
    PAUSE = "pause"
    RESUME = "resume"
    CLAIM = "claim"
    COMPLETE = "complete"
    FAIL = "fail"
    HAND_BACK = "hand_back"
    FORCE_CLOSE = "force_close"


class Command(models.Model):
    """A person's wish: read by the dispatcher, kept as the audit of who did what."""

    execution = models.ForeignKey(
        Execution, null=True, on_delete=models.CASCADE, related_name="commands"
    )
    attempt = models.ForeignKey(Attempt, null=True, on_delete=models.CASCADE, related_name="+")
    verb = models.CharField(max_length=16, choices=CommandVerb.choices)
    payload = models.JSONField(default=dict)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    at = models.DateTimeField()
    handled_at = models.DateTimeField(null=True)

    class Meta:
        indexes = (
            models.Index(
                fields=("id",), name="command_waiting", condition=models.Q(handled_at=None)
            ),
        )


class WorkerProcess(models.Model):
    """A worker process as the dispatcher knows it. Slots 0: accepts nothing (drains)."""

    incarnation = models.CharField(max_length=64, primary_key=True)
    host = models.CharField(max_length=255)
    pid = models.PositiveIntegerField()
    slots = models.PositiveIntegerField()
    first_seen_at = models.DateTimeField()
    heartbeat_at = models.DateTimeField()
    gone_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "worker processes"


class DispatcherProcess(models.Model):
    """A dispatcher that is there: one leads, the others stand by. For people; see `Leadership`."""

    holder = models.CharField(max_length=128, primary_key=True)
    host = models.CharField(max_length=255)
    pid = models.PositiveIntegerField()
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "dispatcher processes"

    @property
    @admin.display(boolean=True)
    def leads(self) -> bool:
        """Whether the lease is its own now."""
        return Leadership.objects.filter(holder=self.holder, expires_at__gt=Now()).exists()


class Leadership(models.Model):
    """The dispatcher's lease: one row. Whoever holds the term may write."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    holder = models.CharField(max_length=128, blank=True)
    term = models.BigIntegerField(default=0)
    expires_at = models.DateTimeField(null=True)
