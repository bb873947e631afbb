"""Task groups as people define them; a run takes a snapshot and never looks back here."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from simple_history.models import HistoricalRecords

from executions.models.limits import Resource, TaskType, Team
from executions.scheduling.model import DEFAULT_PRIORITY, OnCriticalFailure, Strategy


class TaskGroup(models.Model):
    """A named set of tasks with its configuration."""

    name = models.CharField(max_length=200, unique=True)
    description = models.TextField(blank=True)
    max_concurrency = models.PositiveIntegerField(default=5, validators=[MinValueValidator(1)])
    failure_strategy = models.CharField(
        max_length=32,
        choices=[(s.value, s.value.replace("_", " ")) for s in Strategy],
        default=Strategy.CONTINUE_ON_FAILURE.value,
    )
    max_retries = models.PositiveIntegerField(default=2)
    timeout_ms = models.PositiveBigIntegerField(
        default=3_600_000, validators=[MinValueValidator(1)]
    )
    run_timeout_ms = models.PositiveBigIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1)]
    )
    critical_first = models.BooleanField(default=False)
    on_critical_failure = models.CharField(
        max_length=16,
        choices=[(s.value, s.value) for s in OnCriticalFailure],
        default=OnCriticalFailure.STOP.value,
    )
    planning = models.BooleanField(default=True)
    limits = models.JSONField(
        default=dict, blank=True, help_text='{"team": {name: n}, "task_type": {name: n}}'
    )
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    owning_teams = models.ManyToManyField(Team, blank=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    history = HistoricalRecords()

    class Meta:
        ordering = ("name",)
        permissions = (
            ("define_dangerous", "Can define tasks that run code on workers (shell, python)"),
        )

    def __str__(self) -> str:
        return self.name


class Task(models.Model):
    """One piece of work of a task group."""

    group = models.ForeignKey(TaskGroup, on_delete=models.CASCADE, related_name="tasks")
    position = models.PositiveIntegerField()
    task_id = models.CharField(max_length=100)
    title = models.CharField(max_length=200, blank=True)
    runner = models.CharField(max_length=32)
    payload = models.JSONField(default=dict, blank=True)
    priority = models.PositiveSmallIntegerField(
        default=DEFAULT_PRIORITY, validators=[MaxValueValidator(100)]
    )
    team = models.ForeignKey(Team, null=True, blank=True, on_delete=models.PROTECT)
    task_type = models.ForeignKey(TaskType, null=True, blank=True, on_delete=models.PROTECT)
    depends_on = models.ManyToManyField(
        "self", symmetrical=False, blank=True, related_name="dependents"
    )
    duration_s = models.FloatField(null=True, blank=True, validators=[MinValueValidator(0)])
    timeout_ms = models.PositiveBigIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1)]
    )
    max_retries = models.PositiveIntegerField(null=True, blank=True)

    class Meta:
        ordering = ("group", "position")
        constraints = (
            models.UniqueConstraint(fields=("group", "task_id"), name="task_id_unique_in_group"),
        )

    def __str__(self) -> str:
        return self.task_id


class Requirement(models.Model):
    """A task's need for a resource."""

    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="required_resources")
    resource = models.ForeignKey(Resource, on_delete=models.PROTECT)
    amount = models.PositiveIntegerField(default=1, validators=[MinValueValidator(1)])
    exclusive = models.BooleanField(default=False)

    class Meta:
        ordering = ("pk",)
        constraints = (
            models.UniqueConstraint(fields=("task", "resource"), name="one_need_per_resource"),
        )

    def __str__(self) -> str:
        return f"{self.resource}{' (exclusive)' if self.exclusive else f' x {self.amount}'}"
