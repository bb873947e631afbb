"""Upload or paste task groups or limits: check, show what would change, then save all of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.views.decorators.http import require_http_methods, require_safe

from executions import selectors, services, specs
from executions.attachments import attachment
from executions.pages.changes import changes
from executions.pages.limits import PERMISSIONS
from executions.pages.permissions import require

LIMIT_FORMATS: Mapping[str, Literal["yaml", "json"]] = {"yaml": "yaml", "json": "json"}


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def group_upload(request: HttpRequest) -> HttpResponse:
    """Step one shows the changes, step two (`confirmed`) saves them."""
    require(request, "add_taskgroup")
    if request.method != "POST":
        sample = render_to_string("group_sample.yaml") if request.GET.get("sample") else ""
        return render(request, "group_upload.html", {"text": sample})
    text, form = _given(request)
    try:
        given = specs.load_several(text, format=form, **services.spec_surroundings())
        wanted = [(spec, _group_of(request, spec)) for spec in given]
        if request.POST.get("confirmed"):
            saved = services.groups_save(wanted=wanted, user=request.user)
            messages.success(request, f"Saved: {', '.join(group.name for group in saved)}.")
            return redirect("group", saved[0].pk) if len(saved) == 1 else redirect("group-list")
        services.groups_definable(specs=given, user=request.user)
    except specs.SpecInvalidError as error:
        context = {"text": _shown(text), "form": form or "", "faults": error.faults}
        return render(request, "group_upload.html", context, status=400)
    resources = selectors.editor_choices()["resource"]
    previews = [
        {
            "spec": spec,
            "group": group,
            "changes": changes(services.spec_of(group) if group else None, spec, resources),
        }
        for spec, group in wanted
    ]
    context = {"text": _shown(text), "form": form or "", "previews": previews}
    return render(request, "group_upload.html", context)


def _group_of(request: HttpRequest, spec: specs.TaskGroupSpec) -> Any | None:
    """The group that a spec would change; one the user may not see is nobody's to change."""
    group = selectors.groups_visible_to(request.user).filter(name=spec.name).first()
    if group is not None:
        require(request, "change_taskgroup")
    return group


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def limit_upload(request: HttpRequest) -> HttpResponse:
    """The same for a file of limits."""
    if not any(request.user.has_perm(f"executions.{p}") for p in PERMISSIONS.values()):
        raise PermissionDenied
    if request.method != "POST":
        now = specs.limits_text(services.limits_all(), "yaml")
        return render(request, "limit_upload.html", {"text": now})
    text, form = _given(request)
    reason = request.POST.get("reason", "")[:100]
    context: dict[str, Any] = {"text": _shown(text), "form": form or "", "reason": reason}
    try:
        wanted = specs.limits_read(text, form="json" if form == "json" else None)
        if request.POST.get("confirmed"):
            number = services.limits_import(wanted=wanted, user=request.user, reason=reason)
            messages.success(request, f"{number} limit{'' if number == 1 else 's'} changed.")
            return redirect("limit-list")
        context["changes"] = services.limits_changes(wanted=wanted, user=request.user)
    except specs.SpecInvalidError as error:
        context["faults"] = error.faults
    return render(request, "limit_upload.html", context, status=400 if "faults" in context else 200)


@login_required
@require_safe
def limit_export(request: HttpRequest, form: str) -> HttpResponse:
    """Every limit as the file that would make them."""
    require(request, "view_team")
    if form not in LIMIT_FORMATS:
        raise Http404
    text = specs.limits_text(services.limits_all(), LIMIT_FORMATS[form])
    return attachment(text, f"limits.{form}", f"application/{form}")


def _given(request: HttpRequest) -> tuple[str | bytes, Any]:
    """The text pasted or the file uploaded, and its format where the name or a choice says so."""
    form = request.POST.get("format") or None
    file = request.FILES.get("file")
    if file is None:
        return request.POST.get("text", "").replace("\r\n", "\n"), _known(form)
    suffix = (file.name or "").rpartition(".")[2].lower()
    guessed = {"yml": "yaml", "yaml": "yaml", "json": "json", "csv": "csv"}.get(suffix)
    return file.read(specs.SPEC_BYTES + 1), _known(form or guessed)


def _known(form: str | None) -> str | None:
    return form if form in ("yaml", "json", "csv") else None


def _shown(text: str | bytes) -> str:
    return text if isinstance(text, str) else text.decode(errors="replace")
