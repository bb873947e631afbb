"""Who did what, in the order it was done: rows are only ever added.

They are written in the transaction of what they tell, wherever that is done, and name things by
what people call them, so that they stay true when the things are gone.
"""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models.signals import post_save
from django.dispatch import receiver
from django.utils import timezone
from simple_history.signals import post_create_historical_record

from executions.models.runs import Command, Execution

HISTORY_VERBS = {"+": "add", "~": "change", "-": "delete"}
TEXT_LIMIT = 500


class AuditKeptError(Exception):
    """An entry of the audit is never changed or removed."""


class AuditEntries(models.QuerySet["AuditEntry"]):
    """Many entries: read, and only read."""

    def update(self, **_kwargs: Any) -> int:
        """Never."""
        raise AuditKeptError

    def delete(self) -> tuple[int, dict[str, int]]:
        """Never."""
        raise AuditKeptError

    update.alters_data = delete.alters_data = True  # type: ignore[attr-defined]


class AuditEntry(models.Model):
    """One deed of one person; `by` empty: the site itself. The database holds it as well."""

    at = models.DateTimeField(db_index=True)
    by = models.CharField(max_length=150, blank=True)
    verb = models.CharField(max_length=32)
    target = models.CharField(max_length=300)
    details = models.JSONField(default=dict)

    objects = AuditEntries.as_manager()

    class Meta:
        ordering = ("-id",)
        verbose_name_plural = "audit entries"

    def __str__(self) -> str:
        return f"{self.by or 'the site'}: {self.verb} {self.target}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Add it; raises AuditKeptError where it is there already."""
        if self.pk is not None:
            raise AuditKeptError
        super().save(*args, **kwargs)

    def delete(self, *_args: Any, **_kwargs: Any) -> tuple[int, dict[str, int]]:
        """Never."""
        raise AuditKeptError


def audit_add(user: Any, verb: str, target: str, details: dict[str, Any]) -> None:
    """Write a deed down, in the transaction it is done in; `user` None: the site itself."""
    by = "" if user is None else user.get_username()
    told = {key: value for key, value in details.items() if value not in ("", None)}
    AuditEntry(at=timezone.now(), by=by, verb=verb, target=target[:300], details=told).save()


@receiver(post_save, sender=Execution)
def _execution_made(instance: Execution, created: bool, **_: Any) -> None:  # noqa: FBT001 (Django's)
    if created:
        verb = "run" if instance.parent is None else "retry"
        of = "" if instance.parent is None else instance.parent.public_id
        details = {"name": instance.name, "of": of}
        audit_add(instance.submitted_by, verb, instance.public_id, details)


@receiver(post_save, sender=Command)
def _command_given(instance: Command, created: bool, **_: Any) -> None:  # noqa: FBT001 (Django's)
    if not created or instance.execution is None:
        return
    target = instance.execution.public_id
    details = {name: instance.payload.get(name) for name in ("reason", "error")}
    if instance.attempt is not None:
        target += f"/{instance.attempt.task_run.task_id}"
        details["attempt"] = instance.attempt.number
    audit_add(instance.by, instance.verb, target, details)


@receiver(post_create_historical_record)
def _definition_changed(instance: Any, history_instance: Any, **_: Any) -> None:
    """A task group, a limit or a secret was added, changed or deleted."""
    details: dict[str, Any] = {"why": history_instance.history_change_reason}
    verb = HISTORY_VERBS[history_instance.history_type]
    if verb == "change" and history_instance.prev_record is not None:
        changes = history_instance.diff_against(history_instance.prev_record).changes
        details |= {c.field: [_short(c.old), _short(c.new)] for c in changes}
    kind = instance._meta.verbose_name  # noqa: SLF001 (Django documents _meta)
    audit_add(history_instance.history_user, verb, f"{kind} {instance}", details)


def _short(value: Any) -> Any:
    return value if isinstance(value, int | float | bool | None) else str(value)[:TEXT_LIMIT]
