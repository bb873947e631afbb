"""Task groups: list, one group, run, delete, export, and the editor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from executions import selectors, services, specs
from executions.attachments import attachment
from executions.pages import forms
from executions.pages.permissions import require

PAGE_SIZE = 50
SPEC_FORMATS = {"yaml": "application/yaml", "json": "application/json", "csv": "text/csv"}
EMPTY_ROWS = 3


def visible_group(request: HttpRequest, pk: int) -> Any:
    """The task group, or 404."""
    group = selectors.groups_visible_to(request.user).filter(pk=pk).first()
    if group is None:
        raise Http404
    return group


@login_required
@require_safe
def group_list(request: HttpRequest) -> HttpResponse:
    """Every task group the user may see."""
    groups = selectors.groups_listed(request.user, request.GET.get("q", ""))
    page = Paginator(groups, PAGE_SIZE).get_page(request.GET.get("page"))
    return render(request, "group_list.html", {"page": page})


@login_required
@require_safe
def group_page(request: HttpRequest, pk: int) -> HttpResponse:
    """One task group: its configuration, its tasks, its runs."""
    group = visible_group(request, pk)
    executions = selectors.executions_visible_to(request.user).filter(group=group)
    context = {
        "group": group,
        "spec": services.spec_of(group) if group.tasks.exists() else None,
        "executions": executions.select_related("submitted_by").order_by("-pk")[:10],
        "formats": SPEC_FORMATS,
    }
    return render(request, "group.html", context)


@login_required
@require_POST
def group_run(request: HttpRequest, pk: int) -> HttpResponse:
    """Submit a run of the group as it is now."""
    group = visible_group(request, pk)
    require(request, "add_execution")
    try:
        execution = services.execution_submit(user=request.user, group=group)
    except specs.SpecInvalidError as error:
        for fault in error.faults[:20]:
            messages.error(request, str(fault))
        return redirect("group", pk)
    return redirect("execution", execution.public_id)


@login_required
@require_POST
def group_delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Delete the group; its executions stay."""
    group = visible_group(request, pk)
    require(request, "delete_taskgroup")
    services.group_delete(group=group)
    messages.success(request, f"Task group {group.name} deleted; its executions stay.")
    return redirect("group-list")


@login_required
@require_safe
def group_export(request: HttpRequest, pk: int, form: str) -> HttpResponse:
    """The group as the file that would make it again."""
    group = visible_group(request, pk)
    if form not in SPEC_FORMATS or not group.tasks.exists():
        raise Http404
    text = specs.dump(services.spec_exported(group), form)  # type: ignore[arg-type]
    return attachment(text, f"task-group-{pk}.{form}", SPEC_FORMATS[form])


# ---------------------------------------------------------------- the editor


@login_required
def group_new(request: HttpRequest) -> HttpResponse:
    """A new group by form."""
    require(request, "add_taskgroup")
    if request.method == "POST":
        return _save(request, None)
    values = {"max_concurrency": "5", "max_retries": "2", "timeout_ms": "3600000", "planning": "on"}
    return _editor(request, None, values, [])


@login_required
def group_edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Change a group by form."""
    group = visible_group(request, pk)
    require(request, "change_taskgroup")
    if request.method == "POST":
        return _save(request, group)
    if not group.tasks.exists():
        return _editor(request, group, {"name": group.name}, [])
    spec = services.spec_of(group)
    return _editor(request, group, forms.group_values(spec), forms.rows_of(spec))


def _save(request: HttpRequest, group: Any | None) -> HttpResponse:
    """Save what was typed, or show every fault at its place with nothing saved."""
    post = request.POST.dict()
    try:
        spec = specs.load_data(forms.group_data(post), **services.spec_surroundings())
        saved = services.group_save(spec=spec, user=request.user, group=group)
    except specs.SpecInvalidError as error:
        return _editor(request, group, post, forms.rows_typed(post), error.faults)
    messages.success(request, f"Task group {saved.name} saved.")
    return redirect("group", saved.pk)


def _editor(
    request: HttpRequest,
    group: Any | None,
    values: Mapping[str, str],
    rows: list[forms.Values],
    faults: Sequence[specs.Fault] = (),
) -> HttpResponse:
    blank: list[forms.Values] = [{} for _ in range(EMPTY_ROWS if not rows else 1)]
    context = {
        "group": group,
        "values": values,
        "rows": forms.rows_shown([*rows, *blank], faults),
        "blank": {"index": "__", "values": {}, "errors": {}},
        "faults": faults,
        "own": {fault.place: fault.message for fault in faults},
        "choices": selectors.editor_choices(),
    }
    return render(request, "group_edit.html", context, status=400 if faults else 200)
