"""Django's admin: limits and groups can be changed there, runs can be looked at.

Every limit stands beside its use and who waits for it; what is in use is not deleted. Files go in
and out through the same specs and services as on the pages; rows are those the user may see.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.forms import CharField, ModelForm, Textarea
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from executions import selectors, services, specs
from executions.attachments import attachment
from executions.dispatch import bus
from executions.models import (
    Attempt,
    AuditEntry,
    Command,
    DispatcherProcess,
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
from executions.runners.registry import kinds
from executions.scheduling.model import OPEN_EXECUTION_STATES
from executions.watching.deeds import target_addresses
from executions.watching.keepers import limit_keepers
from executions.watching.uses import limit_uses
from pexec_site.history import HistoryAdmin

FAULTS_TOLD = 5

admin.site.site_header = "pexec"
admin.site.site_title = "pexec"
admin.site.index_title = "Limits, task groups, runs"


class NamedRowForm(ModelForm):  # type: ignore[type-arg]
    """One row of a list, each field of it with a name."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Name the fields after the row."""
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.widget.attrs["aria-label"] = f"{field.label} of {self.instance}"


class LimitAdmin(HistoryAdmin):
    """A limit, its use, who waits."""

    search_fields = ("name",)
    actions = ("close", "export_yaml", "export_json")
    upload_route = "limit-upload"
    delete_confirmation_template = "admin/executions/limit_delete.html"
    delete_selected_confirmation_template = "admin/executions/limits_delete.html"

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """Look once at what is in use, for all rows of the page."""
        self._uses = limit_uses()
        return super().changelist_view(request, extra_context)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:  # noqa: ARG002
        """A name is an identity: runs remember it."""
        return ("name",) if obj is not None else ()

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """What is held or asked for is not deleted: who does so stands in the way, by name."""
        deleted, counts, lacking, _ = super().get_deleted_objects(objs, request)
        told = [
            format_html("{}: {}", limit.name, keeper)
            for limit in objs
            for keeper in limit_keepers(limit, request.user)
        ]
        return deleted, counts, set() if told else lacking, told

    def get_changelist_form(self, request: HttpRequest, **kwargs: Any) -> type[ModelForm[Any]]:
        """Fields of a list that say whose they are, also to those who do not see the row."""
        made: type[ModelForm[Any]] = super().get_changelist_form(
            request, form=NamedRowForm, **kwargs
        )
        return made

    @admin.display(description="in use")
    def used(self, obj: Any) -> SafeString:
        """Slots or units held now, as on the page of limits."""
        used, maximum, _ = self._uses.get(obj.key, [0, 0, 0])
        return format_html(
            '<svg class="use" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
            '<rect class="fill-{}" width="{}" height="10"></rect></svg> {}/{}{}',
            "queued" if used >= maximum else "running",
            min(100, round(100 * used / maximum)) if maximum else 0,
            used,
            maximum,
            " closed" if maximum == 0 else " full" if used >= maximum else "",
        )

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
        for limit in queryset:
            services.limit_change(
                limit=limit, value=0, user=request.user, reason="closed in the admin"
            )
        self.message_user(request, f"{len(queryset)} closed; what runs goes on.")

    @admin.action(description="Export as YAML", permissions=["view"])
    def export_yaml(self, request: HttpRequest, queryset: Any) -> HttpResponse:  # noqa: ARG002 (an action's signature)
        """The chosen limits as a file that the upload takes."""
        return _file(specs.limits_text(services.limits_file(queryset), "yaml"), "limits.yaml")

    @admin.action(description="Export as JSON", permissions=["view"])
    def export_json(self, request: HttpRequest, queryset: Any) -> HttpResponse:  # noqa: ARG002 (an action's signature)
        """The same as JSON."""
        return _file(specs.limits_text(services.limits_file(queryset), "json"), "limits.json")


def _file(text: str, name: str) -> HttpResponse:
    return attachment(text, name, f"application/{name.rpartition('.')[2]}")


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
class SecretAdmin(HistoryAdmin):
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


class TaskInline(admin.TabularInline):  # type: ignore[type-arg]
    """The tasks of a group, in order; they are changed in the editor, which checks them."""

    model = Task
    fields = ("position", "task_id", "title", "runner", "priority", "team", "task_type")
    extra = 0
    show_change_link = True

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """In the editor."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """In the editor."""
        return False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """In the editor."""
        return False


class RequirementInline(admin.TabularInline):  # type: ignore[type-arg]
    """What a task needs."""

    model = Requirement
    extra = 0


@admin.register(TaskGroup)
class TaskGroupAdmin(HistoryAdmin):
    """Task groups: how they run and whose they are; tasks and own limits in the editor."""

    list_display = ("name", "max_concurrency", "failure_strategy", "owner", "updated_at")
    list_filter = ("failure_strategy", "owning_teams")
    search_fields = ("name", "description")
    filter_horizontal = ("owning_teams",)
    readonly_fields = ("limits",)
    inlines = (TaskInline,)
    actions = ("run", "export_yaml", "export_json")
    upload_route = "group-upload"

    def get_queryset(self, request: HttpRequest) -> QuerySet[TaskGroup]:
        """Those the user may see."""
        return selectors.groups_visible_to(request.user).order_by("name")

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        """By the editor or a file, which check what they save."""
        return False

    def view_on_site(self, obj: TaskGroup) -> str:
        """Where its tasks are changed."""
        return reverse("group", args=[obj.pk])

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A group with tasks that run code is for those who may define such."""
        if obj is not None and not request.user.has_perm("executions.define_dangerous"):
            dangerous = [name for name, kind in kinds().items() if kind.dangerous]
            if obj.tasks.filter(runner__in=dangerous).exists():
                return False
        return bool(super().has_change_permission(request, obj))

    def has_run_permission(self, request: HttpRequest) -> bool:
        """Who may submit."""
        return bool(request.user.has_perm("executions.add_execution"))

    @admin.action(description="Run", permissions=["run"])
    def run(self, request: HttpRequest, queryset: Any) -> None:
        """Submit a run of each chosen group; one that cannot run says why."""
        for group in queryset:
            try:
                made = services.execution_submit(user=request.user, group=group)
            except specs.SpecInvalidError as error:
                told = "; ".join(str(fault) for fault in error.faults[:FAULTS_TOLD])
                self.message_user(request, f"{group.name}: {told}", messages.ERROR)
            else:
                self.message_user(request, f"{group.name} runs as {made.public_id}.")

    @admin.action(description="Export as YAML", permissions=["view"])
    def export_yaml(self, request: HttpRequest, queryset: Any) -> HttpResponse:  # noqa: ARG002 (an action's signature)
        """The chosen groups as one file that the upload takes."""
        return _file(_groups_text(queryset, "yaml"), "task-groups.yaml")

    @admin.action(description="Export as JSON", permissions=["view"])
    def export_json(self, request: HttpRequest, queryset: Any) -> HttpResponse:  # noqa: ARG002 (an action's signature)
        """The same as JSON."""
        return _file(_groups_text(queryset, "json"), "task-groups.json")


def _groups_text(groups: QuerySet[TaskGroup], form: Literal["yaml", "json"]) -> str:
    with_tasks = groups.filter(pk__in=Task.objects.values("group"))
    return specs.dump_several([services.spec_exported(group) for group in with_tasks], form)


@admin.register(Task)
class TaskAdmin(SeenAdmin):
    """One task of a group, to look at."""

    list_display = ("task_id", "group", "runner", "priority", "team", "task_type")
    list_filter = ("runner", "team", "task_type", "group")
    search_fields = ("task_id", "title")
    inlines = (RequirementInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Task]:
        """Those of groups the user may see."""
        groups = selectors.groups_visible_to(request.user)
        return super().get_queryset(request).filter(group__in=groups.values("pk"))

    def has_module_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        """Reached from its group."""
        return False


class ValuesFilter(admin.AllValuesFieldListFilter):
    """The values of a column; to have none has a name, too."""

    def choices(self, changelist: Any) -> Any:
        """Each with words to click on."""
        for choice in super().choices(changelist):
            yield {**choice, "display": choice["display"] or "none"}


class OfExecutionAdmin(SeenAdmin):
    """Rows of executions the user may see."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Those of executions the user may see."""
        visible = selectors.executions_visible_to(request.user)
        return super().get_queryset(request).filter(execution__in=visible.values("pk"))


@admin.register(Execution)
class ExecutionAdmin(SeenAdmin):
    """Executions."""

    list_display = ("public_id", "name", "state", "outcome", "submitted_by", "created")
    list_filter = ("state", "outcome")
    search_fields = ("name", "id")
    actions = ("pause", "resume", "cancel")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Execution]:
        """Those the user may see."""
        return selectors.executions_visible_to(request.user).order_by("-pk")

    @admin.display(ordering="created_at")
    def created(self, obj: Execution) -> str:
        """To the minute: the list fits beside its filters."""
        return f"{timezone.localtime(obj.created_at):%Y-%m-%d %H:%M}"

    def view_on_site(self, obj: Execution) -> str:
        """Its live page."""
        return reverse("execution", args=[obj.public_id])

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Who may pause and resume."""
        return bool(request.user.has_perm("executions.change_execution"))

    @admin.action(description="Pause: start nothing new", permissions=["operate"])
    def pause(self, request: HttpRequest, queryset: Any) -> None:
        """Pause the chosen executions; what runs goes on."""
        self._ask(request, queryset, services.execution_pause)

    @admin.action(description="Resume", permissions=["operate"])
    def resume(self, request: HttpRequest, queryset: Any) -> None:
        """Let the chosen executions go on."""
        self._ask(request, queryset, services.execution_resume)

    @admin.action(description="Cancel…", permissions=["operate"])
    def cancel(self, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        """Cancel the chosen executions, once somebody has said that they mean it."""
        chosen = queryset.filter(state__in=sorted(OPEN_EXECUTION_STATES))
        if "sure" in request.POST:
            self._ask(request, chosen, services.execution_cancel)
            return None
        if not chosen:
            self.message_user(request, "All of these are over.", messages.WARNING)
            return None
        context = {
            **self.admin_site.each_context(request),
            "title": "Cancel executions?",
            "opts": self.opts,
            "chosen": chosen,
        }
        return render(request, "admin/executions/execution/cancel_selected.html", context)

    def _ask(self, request: HttpRequest, queryset: Any, verb: Callable[..., None]) -> None:
        for execution in queryset:
            try:
                verb(execution=execution, user=request.user)
            except services.NotAllowedNowError as error:
                self.message_user(request, str(error), messages.WARNING)
            else:
                self.message_user(request, f"{execution.public_id}: asked.")


@admin.register(TaskRun)
class TaskRunAdmin(OfExecutionAdmin):
    """Task runs."""

    list_display = ("task_id", "execution", "state", "attempts", "reason", "since")
    list_filter = ("state", ("team", ValuesFilter), ("task_type", ValuesFilter))
    search_fields = ("task_id",)


@admin.register(Attempt)
class AttemptAdmin(OfExecutionAdmin):
    """The attempt log."""

    list_display = ("task_run", "number", "state", "worker", "dispatched_at", "released_at")
    list_filter = ("state", "reason")
    exclude = ("token",)


@admin.register(Command)
class CommandAdmin(OfExecutionAdmin):
    """Who asked for what."""

    list_display = ("verb", "execution", "attempt", "by", "at", "handled_at")
    list_select_related = ("execution", "attempt", "by")
    list_filter = ("verb",)


@admin.register(AuditEntry)
class AuditEntryAdmin(SeenAdmin):
    """Who did what."""

    list_display = ("at", "by", "verb", "linked", "details")
    list_filter = ("verb",)
    search_fields = ("by", "target")
    date_hierarchy = "at"

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Look once for the addresses, for all rows of the page."""
        found = super().get_changelist_instance(request)
        targets = {entry.target for entry in found.result_list}
        self._addresses = target_addresses(targets, request.user)
        return found

    @admin.display(description="target", ordering="target")
    def linked(self, obj: AuditEntry) -> str:
        """What it was done to, as a link while it is there."""
        address = self._addresses.get(obj.target)
        return format_html('<a href="{}">{}</a>', address, obj.target) if address else obj.target


@admin.register(DispatcherProcess)
class DispatcherProcessAdmin(SeenAdmin):
    """Dispatcher processes."""

    list_display = ("holder", "host", "pid", "leads", "started_at", "seen_at")


@admin.register(WorkerProcess)
class WorkerProcessAdmin(SeenAdmin):
    """Worker processes."""

    list_display = ("incarnation", "host", "pid", "slots", "heartbeat_at", "gone_at")
