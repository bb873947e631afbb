"""Django's admin: limits and groups can be changed there, runs can be looked at.

Every limit stands beside its use and who waits for it; what is in use is not deleted.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.forms import CharField, ModelForm, Textarea
from django.http import HttpRequest
from simple_history.admin import SimpleHistoryAdmin

from executions.dispatch import bus
from executions.models import (
    Attempt,
    AuditEntry,
    Command,
    Execution,
    Requirement,
    Resource,
    Secret,
    Task,
    TaskGroup,
    TaskRun,
    TaskType,
    Team,
    WorkerProcess,
)
from executions.models.secrets import secret_validators
from executions.watching.uses import limit_uses

admin.site.site_header = "pexec"
admin.site.site_title = "pexec"
admin.site.index_title = "Limits, task groups, runs"


class LimitAdmin(SimpleHistoryAdmin):  # type: ignore[misc]
    """A limit, its use, who waits."""

    search_fields = ("name",)
    actions = ("close",)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """Look once at what is in use, for all rows of the page."""
        self._uses = limit_uses()
        return super().changelist_view(request, extra_context)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:  # noqa: ARG002
        """A name is an identity: runs remember it."""
        return ("name",) if obj is not None else ()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """What is held now is not deleted."""
        if obj is not None and limit_uses().get(obj.key, [0])[0]:
            return False
        return bool(super().has_delete_permission(request, obj))

    @admin.display(description="in use")
    def used(self, obj: Any) -> int:
        """Slots or units held now."""
        return self._uses.get(obj.key, [0, 0, 0])[0]

    @admin.display(description="waiting")
    def waiting(self, obj: Any) -> int:
        """Queued task runs that wait for it."""
        return self._uses.get(obj.key, [0, 0, 0])[2]

    def save_model(
        self,
        request: HttpRequest,
        obj: Model,
        form: ModelForm[Any],
        change: bool,  # noqa: FBT001 (Django's signature)
    ) -> None:
        """Save, and let the dispatcher know."""
        super().save_model(request, obj, form, change)
        bus.wake()

    @admin.action(description="Close: start nothing new (limit 0)", permissions=["change"])
    def close(self, request: HttpRequest, queryset: Any) -> None:
        """Set the chosen limits to 0; what runs goes on."""
        field = "capacity" if queryset.model is Resource else "max_parallel"
        for limit in queryset:
            setattr(limit, field, 0)
            limit.save()
        bus.wake()
        self.message_user(request, f"{len(queryset)} closed; what runs goes on.")


@admin.register(Team)
class TeamAdmin(LimitAdmin):
    """Teams."""

    list_display = ("name", "max_parallel", "used", "waiting", "description")
    list_editable = ("max_parallel",)
    filter_horizontal = ("members",)


@admin.register(TaskType)
class TaskTypeAdmin(LimitAdmin):
    """Task types."""

    list_display = ("name", "max_parallel", "used", "waiting", "description")
    list_editable = ("max_parallel",)


@admin.register(Resource)
class ResourceAdmin(LimitAdmin):
    """Resources."""

    list_display = ("name", "capacity", "used", "waiting", "description")
    list_editable = ("capacity",)


class SecretForm(ModelForm):  # type: ignore[type-arg]
    """A value that goes in and never comes out."""

    value = CharField(
        label="New value",
        required=False,
        strip=False,
        validators=secret_validators,
        widget=Textarea(attrs={"rows": 3, "autocomplete": "off", "spellcheck": "false"}),
        help_text="Kept sealed and never shown. Leave it empty to keep the present one.",
    )

    class Meta:
        model = Secret
        fields = ("name", "description")

    def clean(self) -> dict[str, Any]:
        """A new secret has a value."""
        if self.instance.pk is None and not self.data.get("value"):
            self.add_error("value", "A secret needs a value.")
        return self.cleaned_data


@admin.register(Secret)
class SecretAdmin(SimpleHistoryAdmin):  # type: ignore[misc]
    """Names of secrets, and a way to give them new values."""

    form = SecretForm
    list_display = ("name", "description", "changed_at")
    search_fields = ("name",)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:  # noqa: ARG002
        """A name is an identity: payloads remember it."""
        return ("name",) if obj is not None else ()

    def save_model(
        self,
        request: HttpRequest,
        obj: Secret,
        form: ModelForm[Any],
        change: bool,  # noqa: FBT001 (Django's signature)
    ) -> None:
        """Seal what was given."""
        if value := form.cleaned_data.get("value"):
            obj.seal(value)
        super().save_model(request, obj, form, change)


class TaskInline(admin.TabularInline):  # type: ignore[type-arg]
    """The tasks of a group, in order; payloads and needs behind the link."""

    model = Task
    fields = ("position", "task_id", "title", "runner", "priority", "team", "task_type")
    extra = 0
    show_change_link = True


class RequirementInline(admin.TabularInline):  # type: ignore[type-arg]
    """What a task needs."""

    model = Requirement
    extra = 0


@admin.register(TaskGroup)
class TaskGroupAdmin(SimpleHistoryAdmin):  # type: ignore[misc]
    """Task groups."""

    list_display = ("name", "max_concurrency", "failure_strategy", "owner", "updated_at")
    list_filter = ("failure_strategy", "owning_teams")
    search_fields = ("name", "description")
    filter_horizontal = ("owning_teams",)
    inlines = (TaskInline,)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A group with tasks that run code is for those who may define such."""
        if obj is not None and not request.user.has_perm("executions.define_dangerous"):
            from executions.runners.registry import kinds

            dangerous = [name for name, kind in kinds().items() if kind.dangerous]
            if obj.tasks.filter(runner__in=dangerous).exists():
                return False
        return bool(super().has_change_permission(request, obj))


@admin.register(Task)
class TaskAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """One task of a group."""

    list_display = ("task_id", "group", "runner", "priority", "team", "task_type")
    list_filter = ("runner", "team", "task_type", "group")
    search_fields = ("task_id", "title")
    autocomplete_fields = ("depends_on",)
    inlines = (RequirementInline,)

    def has_module_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        """Reached from its group."""
        return False


class SeenAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Rows that the dispatcher writes: people look at them, and change them nowhere."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Nobody."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Nobody."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Nobody."""
        return False


@admin.register(Execution)
class ExecutionAdmin(SeenAdmin):
    """Executions."""

    list_display = ("public_id", "name", "state", "outcome", "total", "submitted_by", "created_at")
    list_filter = ("state", "outcome")
    search_fields = ("name", "id")


@admin.register(TaskRun)
class TaskRunAdmin(SeenAdmin):
    """Task runs."""

    list_display = ("task_id", "execution", "state", "attempts", "reason", "since")
    list_filter = ("state", "team", "task_type")
    search_fields = ("task_id",)


@admin.register(Attempt)
class AttemptAdmin(SeenAdmin):
    """The attempt log."""

    list_display = ("task_run", "number", "state", "worker", "dispatched_at", "released_at")
    list_filter = ("state", "reason")
    exclude = ("token",)


@admin.register(Command)
class CommandAdmin(SeenAdmin):
    """Who asked for what."""

    list_display = ("verb", "execution", "attempt", "by", "at", "handled_at")
    list_select_related = ("execution", "attempt", "by")
    list_filter = ("verb",)


@admin.register(AuditEntry)
class AuditEntryAdmin(SeenAdmin):
    """Who did what."""

    list_display = ("at", "by", "verb", "target", "details")
    list_filter = ("verb",)
    search_fields = ("by", "target")
    date_hierarchy = "at"


@admin.register(WorkerProcess)
class WorkerProcessAdmin(SeenAdmin):
    """Worker processes."""

    list_display = ("incarnation", "host", "pid", "slots", "heartbeat_at", "gone_at")
