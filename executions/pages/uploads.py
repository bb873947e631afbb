"""Upload or paste a spec: check it, show what it would change, then save it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.views.decorators.http import require_http_methods

from executions import selectors, services, specs
from executions.pages.changes import changes
from executions.pages.permissions import require


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
        spec = specs.load(text, format=form, **services.spec_surroundings())
        group = selectors.groups_visible_to(request.user).filter(name=spec.name).first()
        if group is not None:
            require(request, "change_taskgroup")
        if request.POST.get("confirmed"):
            saved = services.group_save(spec=spec, user=request.user, group=group)
            messages.success(request, f"Task group {saved.name} saved.")
            return redirect("group", saved.pk)
    except specs.SpecInvalidError as error:
        context = {"text": _shown(text), "form": form or "", "faults": error.faults}
        return render(request, "group_upload.html", context, status=400)
    old = services.spec_of(group) if group else None
    context = {
        "text": _shown(text),
        "form": form or "",
        "spec": spec,
        "group": group,
        "changes": changes(old, spec),
    }
    return render(request, "group_upload.html", context)


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
