"""The pages of executions: list, live results page, one task, and the verbs people press."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from executions import exports, selectors, services, specs
from executions.attachments import attachment
from executions.pages.permissions import require
from executions.pages.plans import what_if_context
from executions.pages.work import work_context
from executions.reporting import report
from executions.watching import dashboards, layers, rows, stories

PAGE_SIZE = 50
TASKS_PAGE_SIZE = 50
RESULTS_SHOWN = 1000
EXPORT_FORMATS = {"json": "JSON", "csv": "CSV", "junit": "JUnit XML", "markdown": "Markdown"}
VERBS = {
    "cancel": "execution_cancel",
    "pause": "execution_pause",
    "resume": "execution_resume",
    "retry-failed": "execution_retry_failed",
}
TABS = ("timeline", "tasks", "graph", "concurrency", "report")


def visible_execution(request: HttpRequest, public_id: str) -> Any:
    """The execution, or 404: what one may not see does not exist."""
    execution = selectors.execution_find(request.user, public_id)
    if execution is None:
        raise Http404
    return execution


@login_required
@require_safe
def execution_list(request: HttpRequest) -> HttpResponse:
    """Every execution the user may see, filtered."""
    fault = ""
    try:
        executions: Any = selectors.executions_filtered(request.user, request.GET)
    except selectors.NoSuchStateError as error:
        executions, fault = [], str(error)
    page = Paginator(executions, PAGE_SIZE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "speeds": dashboards.speeds(page.object_list),
        "states": selectors.EXECUTION_STATES,
        "filters": request.GET,
        "fault": fault,
    }
    return render(request, "execution_list.html", context, status=400 if fault else 200)


@login_required
@require_safe
def execution_page(request: HttpRequest, public_id: str) -> HttpResponse:
    """The live results page; its tab, filters and chosen task are in the address."""
    execution = visible_execution(request, public_id)
    tab = request.GET.get("tab", "tasks")
    state = request.GET.get("state", "")
    words, fault = request.GET.get("q", ""), ""
    try:
        tasks: Any = selectors.task_runs_filtered(execution, state=state, words=words)
    except selectors.NoSuchStateError as error:
        tasks, fault = [], str(error)
    context = {
        "execution": execution,
        "tab": tab if tab in TABS else "tasks",
        "tabs": TABS,
        "state": state,
        "fault": fault,
        "page": Paginator(tasks, TASKS_PAGE_SIZE).get_page(request.GET.get("page")),
        "failures": stories.task_failures(execution.pk),
        "demands": rows.demands_of(execution.pk),
        "task": _chosen_task(request, execution, request.GET.get("task", "")),
        **(_report_context(execution) if tab == "report" else {}),
        **(what_if_context(request, execution) if tab == "concurrency" else {}),
        "may_operate": request.user.has_perm("executions.change_execution"),
        "export_formats": EXPORT_FORMATS.items(),
        "task_states": selectors.TASK_STATES,
        "socket": f"/ws/executions/{execution.public_id}/",
    }
    return render(request, "execution.html", context, status=400 if fault else 200)


def _chosen_task(request: HttpRequest, execution: Any, task_id: str) -> dict[str, Any] | None:
    if not task_id:
        return None
    found = stories.task_story(execution, task_id)
    if found:
        holders = [holder for wait in found["waiting"] for holder in wait["holders"]]
        keys = {holder["execution"] for holder in holders}
        visible = selectors.executions_visible_among(request.user, keys)
        for holder in holders:
            holder["is_visible"] = holder["execution"] in visible
    if found and found["row"].runner == "external" and found["attempts"]:
        attempt = found["attempts"][0]["row"]
        found["work"] = work_context(request, attempt) | {
            "back": f"{execution_url(execution)}?{urlencode({'task': task_id})}"
        }
    return found


@login_required
@require_safe
def task_panel(request: HttpRequest, public_id: str, task_id: str) -> HttpResponse:
    """The side panel of one task, as a part of a page."""
    execution = visible_execution(request, public_id)
    task = _chosen_task(request, execution, task_id)
    if task is None:
        raise Http404
    return render(request, "execution_task.html", {"execution": execution, "task": task})


@login_required
@require_safe
def task_output(request: HttpRequest, public_id: str, task_id: str, number: int) -> HttpResponse:
    """What an attempt printed, as a file: never shown by the browser as a page."""
    execution = visible_execution(request, public_id)
    attempt = stories.attempt_find(execution.pk, task_id, number)
    if attempt is None:
        raise Http404
    data = stories.attempt_output_whole(attempt)
    return attachment(data, f"{execution.public_id}-attempt-{attempt.pk}.txt", "text/plain")


@login_required
@require_safe
def execution_graph(request: HttpRequest, public_id: str) -> JsonResponse:
    """Where each task stands in the drawing: its column and its place within it."""
    execution = visible_execution(request, public_id)
    return JsonResponse({"layers": layers.graph_layers(execution.pk)})


def execution_url(execution: Any) -> str:
    """The address of an execution's page."""
    return reverse("execution", args=[execution.public_id])


@login_required
@require_POST
def execution_verb(request: HttpRequest, public_id: str, verb: str) -> HttpResponse:
    """Cancel, pause, resume, retry failed: asked for here, done by the dispatcher."""
    execution = visible_execution(request, public_id)
    require(request, "change_execution")
    if verb not in VERBS:
        raise Http404
    try:
        more = _retry_asked(request) if verb == "retry-failed" else {}
        made = getattr(services, VERBS[verb])(execution=execution, user=request.user, **more)
    except (
        services.NotAllowedNowError,
        services.NothingToRetryError,
        specs.SpecInvalidError,
    ) as error:
        messages.error(request, str(error) or str(error.__doc__))
        made = None
    return redirect(execution_url(made if verb == "retry-failed" and made else execution))


def _retry_asked(request: HttpRequest) -> dict[str, Any]:
    """The button in the head tries all again; the failure report sends what is ticked there."""
    if not request.POST.get("chosen"):
        return {}
    return {
        "only": request.POST.getlist("only"),
        "with_skipped": bool(request.POST.get("with_skipped")),
    }


@login_required
@require_POST
def attempt_force_close(
    request: HttpRequest, public_id: str, task_id: str, number: int
) -> HttpResponse:
    """Declare an attempt lost, whatever its worker says; who did so and why is kept."""
    execution = visible_execution(request, public_id)
    require(request, "force_close")
    attempt = stories.attempt_find(execution.pk, task_id, number)
    if attempt is None:
        raise Http404
    reason = request.POST.get("reason", "").strip()
    try:
        if not reason:
            messages.error(request, "Say why: it is kept beside your name.")
        else:
            services.attempt_force_close(attempt=attempt, user=request.user, reason=reason)
            messages.success(request, f"Attempt {number} of {task_id} is being closed by force.")
    except services.NotAllowedNowError as error:
        messages.error(request, str(error))
    return redirect(f"{execution_url(execution)}?{urlencode({'task': task_id})}")


def _report_context(execution: Any) -> dict[str, Any]:
    found = report.execution_report(execution)["parallel_execution"]
    return {
        "execution": execution,
        "report": found,
        "results": list(found["results"].items())[:RESULTS_SHOWN],
    }


@login_required
@require_safe
def execution_report(request: HttpRequest, public_id: str) -> HttpResponse:
    """The report as a part of the page."""
    execution = visible_execution(request, public_id)
    return render(request, "execution_report_body.html", _report_context(execution))


@login_required
@require_safe
def execution_export(request: HttpRequest, public_id: str, form: str) -> HttpResponse:
    """The report as a file."""
    execution = visible_execution(request, public_id)
    if form not in EXPORT_FORMATS:
        raise Http404
    kind = exports.EXPORTS[form]
    text = kind.text(report.execution_report(execution))
    return attachment(text, f"{execution.public_id}.{kind.extension}", kind.media_type)
