"""External work: what waits for somebody of my teams, what I took, and my answers."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST, require_safe

from executions import selectors, services
from executions.pages.permissions import require
from executions.runners.results import BadResultError, parse

PERSON_CLAIM_S = 12 * 3600.0
"""Whoever takes work on the page sends no heartbeat: it is theirs for the day."""
OPEN_SHOWN = 200
PERCENTS = frozenset(map(str, range(101)))


@login_required
@require_safe
def work_list(request: HttpRequest) -> HttpResponse:
    """What the user took and what they may take."""
    waiting = selectors.work_open(request.user)
    context = {
        "taken": [_told(attempt) for attempt in selectors.work_taken(request.user)],
        "waiting": [_told(attempt) for attempt in waiting[:OPEN_SHOWN]],
        "count": waiting.count(),
        "may_take": request.user.has_perm("executions.add_execution"),
    }
    return render(request, "work_list.html", context)


def _told(attempt: Any) -> dict[str, Any]:
    payload = dict(services.work_payload_shown(attempt=attempt))
    return {"row": attempt, "instructions": payload.pop("instructions", ""), "more": payload}


def work_context(request: HttpRequest, attempt: Any) -> dict[str, Any]:
    """For the panel of an external task: what is asked, and whether the user may take it or has."""
    may = request.user.has_perm("executions.add_execution")
    return {
        **_told(attempt),
        "may_hand_back": selectors.work_returnable(request.user).filter(pk=attempt.pk).exists(),
        "is_mine": selectors.work_taken(request.user).filter(pk=attempt.pk).exists(),
        "may_take": may and selectors.work_open(request.user).filter(pk=attempt.pk).exists(),
    }


@login_required
@require_POST
def work_verb(request: HttpRequest, pk: int, verb: str) -> HttpResponse:
    """Take it, say how far it is, answer for it."""
    require(request, "add_execution")
    verbs = {
        "take": _take,
        "progress": _progress,
        "complete": _complete,
        "fail": _fail,
        "hand-back": _hand_back,
    }
    if verb not in verbs:
        raise Http404
    try:
        verbs[verb](request, pk)
    except services.WorkTakenError:
        messages.error(request, "That work is not yours (any more), or it has ended.")
    back = request.POST.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(back, allowed_hosts={request.get_host()})
    return redirect(back if is_ours else "work-list")


def _take(request: HttpRequest, pk: int) -> None:
    offered = selectors.work_open(request.user).filter(pk=pk).first()
    taken = offered and services.work_claim(
        user=request.user, attempt=offered, claim_s=PERSON_CLAIM_S
    )
    if not taken:
        raise services.WorkTakenError


def _hand_back(request: HttpRequest, pk: int) -> None:
    held = selectors.work_returnable(request.user).filter(pk=pk).first()
    if held is None:
        raise services.WorkTakenError
    services.work_hand_back(token=held.token, user=request.user)
    messages.success(request, f"{held.task_run.task_id} is offered again.")


def _mine(request: HttpRequest, pk: int) -> Any:
    attempt = selectors.work_taken(request.user).filter(pk=pk).first()
    if attempt is None:
        raise services.WorkTakenError
    return attempt


def _progress(request: HttpRequest, pk: int) -> None:
    attempt = _mine(request, pk)
    percent = request.POST.get("percent", "").strip()
    if percent and percent not in PERCENTS:
        messages.error(request, "Progress is a whole number from 0 to 100.")
        return
    services.work_heartbeat(
        token=attempt.token,
        user=request.user,
        progress=float(percent) if percent else None,
        line=request.POST.get("line", "").strip(),
        claim_s=PERSON_CLAIM_S,
    )


def _complete(request: HttpRequest, pk: int) -> None:
    attempt = _mine(request, pk)
    result = _result(request.POST.get("result", "").strip())
    try:
        services.work_complete(token=attempt.token, user=request.user, result=result)
    except BadResultError as error:
        messages.error(request, f"Not recorded: {error}.")
        return
    messages.success(request, f"{attempt.task_run.task_id} is done.")


def _result(text: str) -> Any:
    """JSON where it is JSON, else the text as it stands."""
    if not text:
        return None
    try:
        return parse(text.encode())
    except (ValueError, RecursionError):
        return text


def _fail(request: HttpRequest, pk: int) -> None:
    attempt = _mine(request, pk)
    error = request.POST.get("error", "").strip()
    if not error:
        messages.error(request, "Say why it failed: others read it in the report.")
        return
    services.work_fail(token=attempt.token, user=request.user, error=error)
    messages.success(request, f"{attempt.task_run.task_id} is recorded as failed.")
