"""What tasks share across every execution: teams, task types, resources.

Names are identities: runs remember them, so a name never changes and a limit in use is not
deleted.
"""

from __future__ import annotations

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from simple_history.models import HistoricalRecords

from executions.scheduling.model import LimitKey, LimitKind, limit_key

name_validator = RegexValidator(
    r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$",
    "Use up to 64 letters, digits, '_', '.', '-', beginning with a letter or digit.",
)


class SharedLimit(models.Model):
    """What teams and task types have in common."""

    name = models.CharField(max_length=64, unique=True, validators=[name_validator])
    max_parallel = models.PositiveIntegerField(
        help_text="How many tasks may run at once, over all executions and workers. 0 closes it."
    )
    description = models.CharField(max_length=200, blank=True)

    class Meta:
        abstract = True
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class Team(SharedLimit):
    """A team whose tasks run at most `max_parallel` at once."""

    members = models.ManyToManyField(settings.AUTH_USER_MODEL, blank=True, related_name="teams")
    history = HistoricalRecords()

    @property
    def key(self) -> LimitKey:
        """Its key in the brain."""
        return limit_key(LimitKind.TEAM, self.name)


class TaskType(SharedLimit):
    """A kind of task of which at most `max_parallel` run at once."""

    history = HistoricalRecords()

    @property
    def key(self) -> LimitKey:
        """Its key in the brain."""
        return limit_key(LimitKind.TASK_TYPE, self.name)


class Resource(models.Model):
    """Something tasks hold while they run."""

    name = models.CharField(max_length=64, unique=True, validators=[name_validator])
    capacity = models.PositiveIntegerField(default=1, help_text="Units there are. 0 closes it.")
    description = models.CharField(max_length=200, blank=True)
    history = HistoricalRecords()

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    @property
    def key(self) -> LimitKey:
        """Its key in the brain."""
        return limit_key(LimitKind.RESOURCE, self.name)
