"""Executions: submit, list, watch, report, and the verbs people may use on one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from django.http import Http404, HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.decorators import api_view
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from executions import exports, selectors, services, specs
from executions.api import report_shapes, shapes
from executions.api.openapi import words_of
from executions.api.pagination import page_of, paged
from executions.api.parsing import asked, fields
from executions.api.permissions import require, visible_execution, visible_group
from executions.reporting.forecast import execution_expected_end, execution_what_if
from executions.reporting.report import execution_report, execution_timeline
from executions.reporting.waits import execution_tasks
from executions.watching import stories

KEY_LIMIT = 200
COUNT_DIGITS = 15
QUERY: Final = "query"


def _texts(*names: str) -> list[OpenApiParameter]:
    return [OpenApiParameter(name, OpenApiTypes.STR, QUERY) for name in names]


@paged
@extend_schema(
    methods=["GET"],
    operation_id="executions_list",
    summary="Those the user may see, the newest first",
    parameters=_texts("state", "group", "owner", "q", "today"),
    responses=shapes.ExecutionShape(many=True),
)
@extend_schema(
    methods=["POST"],
    operation_id="executions_submit",
    summary="Run a saved task group, or a spec",
    request=shapes.SubmissionShape,
    parameters=[OpenApiParameter("Idempotency-Key", OpenApiTypes.STR, "header")],
    responses={201: shapes.ExecutionShape, 409: shapes.ProblemShape},
)
@api_view(["GET", "POST"])
def execution_collection(request: Request) -> Response:
    """List executions the user may see, or submit one."""
    if request.method == "POST":
        return _submit(request)
    require(request, "view_execution")
    found = selectors.executions_filtered(request.user, request.query_params.dict())
    return page_of(
        request,
        found.select_related("submitted_by"),
        lambda page: shapes.ExecutionShape(page, many=True).data,
    )


def _submit(request: Request) -> Response:
    require(request, "add_execution")
    body = fields(request.data)
    given = {"task_group", "spec"} & body.keys()
    unknown = body.keys() - {"task_group", "spec"}
    if len(given) != 1 or unknown:
        message = "give either 'task_group' or 'spec', and nothing else"
        raise ValidationError({"": [message]})
    key = request.headers.get("Idempotency-Key", "")
    if len(key) > KEY_LIMIT or not key.isprintable():
        raise ValidationError({"Idempotency-Key": [f"at most {KEY_LIMIT} printable characters"]})
    if "spec" in body:  # whoever brings a spec defines what is run
        require(request, "add_taskgroup")
    asked: dict[str, Any] = (
        {"spec": _spec(body["spec"])}
        if "spec" in body
        else {"group": _group_to_run(request, body["task_group"])}
    )
    execution = services.execution_submit(user=request.user, idempotency_key=key or None, **asked)
    return _created(execution)


def _spec(data: Any) -> specs.TaskGroupSpec:
    """Every fault at once, those of meaning included."""
    return specs.load_data(data, **services.spec_surroundings())


def _group_to_run(request: Request, key: Any) -> Any:
    try:
        return visible_group(request, key)
    except Http404:
        raise ValidationError({"task_group": [f"no task group '{key}'"]}) from None


def _created(execution: Any) -> Response:
    location = f"/api/v1/executions/{execution.public_id}/"
    data = shapes.ExecutionShape(execution).data
    return Response(data, status.HTTP_201_CREATED, headers={"Location": location})


@extend_schema(operation_id="execution_get", responses=shapes.ExecutionShape)
@api_view(["GET"])
def execution_detail(request: Request, public_id: str) -> Response:
    """How one execution stands."""
    return Response(shapes.ExecutionShape(visible_execution(request, public_id)).data)


@paged
@extend_schema(
    operation_id="execution_task_runs",
    parameters=_texts("state", "q"),
    responses=shapes.TaskRunShape(many=True),
)
@api_view(["GET"])
def execution_task_runs(request: Request, public_id: str) -> Response:
    """The tasks of an execution; a queued one says what it waits for."""
    execution = visible_execution(request, public_id)
    query = request.query_params
    found = selectors.task_runs_filtered(
        execution, state=query.get("state", ""), words=query.get("q", "")
    )
    return page_of(request, found, lambda page: execution_tasks(execution, page))


@extend_schema(
    operation_id="task_run_output",
    parameters=[
        OpenApiParameter("after", OpenApiTypes.INT, QUERY, description="From this byte on."),
        OpenApiParameter("attempt", OpenApiTypes.INT, QUERY, description="Default: the newest."),
    ],
    responses=shapes.OutputShape,
)
@api_view(["GET"])
def task_run_output(request: Request, public_id: str, task_id: str) -> Response:
    """What a task's attempt printed; while it runs, what is known so far."""
    execution = visible_execution(request, public_id)
    attempt = _attempt(execution.pk, task_id, _count(request, "attempt", 0))
    after = _count(request, "after", 0)
    offset, data = stories.attempt_output(attempt)
    end = offset + len(data)
    start = min(max(after, offset), end)
    return Response(
        {
            "attempt": attempt.number,
            "offset": start,
            "next": end,
            "text": data[start - offset :].decode(errors="replace"),
            "is_over": attempt.released_at is not None,
        }
    )


def _attempt(pk: int, task_id: str, number: int | None) -> Any:
    """This attempt of a task, without a number its newest; or 404."""
    if number:
        found = stories.attempt_find(pk, task_id, number)
    else:
        found = stories.open_attempt(pk, task_id)
    if found is None:
        raise Http404
    return found


@extend_schema(
    operation_id="attempt_force_close",
    request=shapes.ForceCloseShape,
    responses={202: shapes.ExecutionShape, 409: shapes.ProblemShape},
)
@api_view(["POST"])
def attempt_force_close(request: Request, public_id: str, task_id: str) -> Response:
    """Declare a live attempt lost, whatever its worker says: its permits are free at once."""
    execution = visible_execution(request, public_id)
    require(request, "force_close")
    wanted = asked(shapes.ForceCloseShape, request)
    attempt = _attempt(execution.pk, task_id, wanted.get("attempt"))
    services.attempt_force_close(attempt=attempt, user=request.user, reason=wanted["reason"])
    execution.refresh_from_db()
    return Response(shapes.ExecutionShape(execution).data, status.HTTP_202_ACCEPTED)


def _count(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name, "")
    if not text:
        return default
    number = specs.whole_number(text, COUNT_DIGITS)
    if number is None:
        raise ValidationError({name: ["must be a whole number of at least 0"]})
    return number


@extend_schema(operation_id="execution_timeline", responses=shapes.TimelineShape(many=True))
@api_view(["GET"])
def execution_timeline_view(request: Request, public_id: str) -> Response:
    """Every attempt that started, by start."""
    return Response(execution_timeline(visible_execution(request, public_id)))


@extend_schema(
    operation_id="execution_report",
    parameters=[OpenApiParameter("format", OpenApiTypes.STR, QUERY, enum=list(exports.EXPORTS))],
    responses={
        (200, kind.media_type): report_shapes.ReportShape if name == "json" else OpenApiTypes.STR
        for name, kind in exports.EXPORTS.items()
        if name != "trace"  # a file of JSON, too
    },
)
@api_view(["GET"])
def execution_report_view(request: Request, public_id: str) -> HttpResponse:
    """The report; other formats than JSON come as a file."""
    execution = visible_execution(request, public_id)
    name = request.query_params.get("format", "json")
    if name not in exports.EXPORTS:
        raise exports.UnknownFormatError(name)
    kind = exports.EXPORTS[name]
    response = HttpResponse(
        kind.text(execution_report(execution)), content_type=f"{kind.media_type}; charset=utf-8"
    )
    if name != "json":
        file = f"{execution.public_id}.{kind.extension}"
        response["Content-Disposition"] = f'attachment; filename="{file}"'
    response["X-Content-Type-Options"] = "nosniff"
    return response


Verb = Callable[..., Any]


def _verb(name: str, service: Verb) -> Any:
    """A view that asks one thing of an execution and answers 202 with how it stands."""

    @extend_schema(
        operation_id=f"execution_{name}",
        description=words_of(service),
        request=None,
        responses={202: shapes.ExecutionShape, 409: shapes.ProblemShape},
    )
    @api_view(["POST"])
    def view(request: Request, public_id: str) -> Response:
        execution = visible_execution(request, public_id)
        require(request, "change_execution")
        service(execution=execution, user=request.user)
        execution.refresh_from_db()
        return Response(shapes.ExecutionShape(execution).data, status.HTTP_202_ACCEPTED)

    return view


execution_cancel = _verb("cancel", services.execution_cancel)
execution_pause = _verb("pause", services.execution_pause)
execution_resume = _verb("resume", services.execution_resume)


@extend_schema(
    operation_id="execution_retry_failed",
    request=shapes.RetryShape,
    responses={201: shapes.ExecutionShape, 409: shapes.ProblemShape},
)
@api_view(["POST"])
def execution_retry_failed(request: Request, public_id: str) -> Response:
    """A new execution with only the tasks that did not complete, or those named of them."""
    execution = visible_execution(request, public_id)
    require(request, "change_execution")
    wanted = asked(shapes.RetryShape, request)
    return _created(
        services.execution_retry_failed(execution=execution, user=request.user, **wanted)
    )


@extend_schema(
    operation_id="execution_what_if",
    request=shapes.ChangesShape,
    responses={200: report_shapes.WhatIfShape, 409: shapes.ProblemShape},
)
@api_view(["POST"])
def execution_what_if_view(request: Request, public_id: str) -> Response:
    """What the run would have taken under other limits; changes nothing."""
    execution = visible_execution(request, public_id)
    changes = asked(shapes.ChangesShape, request)["set"]
    return Response(execution_what_if(execution, changes).as_json())


@extend_schema(
    operation_id="execution_forecast",
    request=None,
    responses=report_shapes.ExpectedEndShape,
)
@api_view(["GET"])
def execution_forecast_view(request: Request, public_id: str) -> Response:
    """When the run will end if it goes on as so far; null: it is over, or it cannot end."""
    execution = visible_execution(request, public_id)
    return Response({"expected_end_at": execution_expected_end(execution)})
