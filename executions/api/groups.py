"""Task groups: a REST body is the spec itself."""

from __future__ import annotations

from typing import Any

from django.db.models import Count
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response

from executions import selectors, services, specs
from executions.api import report_shapes, shapes
from executions.api.pagination import page_of, paged
from executions.api.parsing import asked, fields
from executions.api.permissions import require, visible_group
from executions.reporting.forecast import group_plan

READ_ONLY = ("id", "owner", "created_at", "updated_at")
"""What an answer says beside the spec; ignored when it comes back."""


@paged
@extend_schema(
    methods=["GET"],
    operation_id="task_groups_list",
    summary="Those the user may see",
    parameters=[OpenApiParameter("q", OpenApiTypes.STR, OpenApiParameter.QUERY)],
    responses=shapes.GroupShape(many=True),
)
@extend_schema(
    methods=["POST"],
    operation_id="task_groups_create",
    summary="Save a new one from a spec",
    request=specs.TaskGroupSpec,
    responses={201: shapes.SavedGroup},
)
@api_view(["GET", "POST"])
def group_collection(request: Request) -> Response:
    """List task groups the user may see, or save a new one from a spec."""
    if request.method == "POST":
        require(request, "add_taskgroup")
        group = services.group_save(spec=_spec(fields(request.data)), user=request.user)
        location = f"/api/v1/task-groups/{group.pk}/"
        return Response(_told(group), status.HTTP_201_CREATED, headers={"Location": location})
    require(request, "view_taskgroup")
    found = selectors.groups_visible_to(request.user).select_related("owner")
    if words := request.query_params.get("q", ""):
        found = found.filter(name__icontains=words.replace("\0", ""))
    counted = found.annotate(task_count=Count("tasks")).order_by("name")
    return page_of(request, counted, lambda page: shapes.GroupShape(page, many=True).data)


@extend_schema(
    methods=["GET"],
    operation_id="task_group_get",
    summary="One as its spec",
    responses=shapes.SavedGroup,
)
@extend_schema(
    methods=["PUT"],
    summary="Replace its spec; runs keep theirs",
    request=specs.TaskGroupSpec,
    responses=shapes.SavedGroup,
)
@extend_schema(
    methods=["PATCH"],
    summary="Replace the fields given",
    request=OpenApiTypes.OBJECT,
    responses=shapes.SavedGroup,
)
@extend_schema(methods=["DELETE"], summary="Remove it; runs stay", responses={204: None})
@api_view(["GET", "PUT", "PATCH", "DELETE"])
def group_detail(request: Request, key: str) -> Response:
    """One task group as its spec. PUT replaces it, PATCH the fields given; runs keep theirs."""
    group = visible_group(request, key)
    if request.method == "GET":
        return Response(_told(group))
    if request.method == "DELETE":
        require(request, "delete_taskgroup")
        services.group_delete(group=group)
        return Response(status=status.HTTP_204_NO_CONTENT)
    require(request, "change_taskgroup")
    given = fields(request.data)
    if request.method == "PATCH":
        given = {**specs.plain(services.spec_of(group)), **given}
    group = services.group_save(spec=_spec(given), user=request.user, group=group)
    return Response(_told(group))


@extend_schema(
    methods=["GET"],
    operation_id="task_group_plan",
    summary="Groups, forecast, bounds and advice under today's limits",
    responses={200: report_shapes.PlanShape, 409: shapes.ProblemShape},
)
@extend_schema(
    methods=["POST"],
    operation_id="task_group_plan_if",
    summary="The same under other limits",
    request=shapes.ChangesShape,
    responses={200: report_shapes.PlanShape, 409: shapes.ProblemShape},
)
@api_view(["GET", "POST"])
def group_plan_view(request: Request, key: str) -> Response:
    """Groups, forecast, bounds, advice under today's limits; POST: under other ones."""
    group = visible_group(request, key)
    changes = asked(shapes.ChangesShape, request)["set"] if request.method == "POST" else {}
    plan = group_plan(services.spec_of(group), group=group, changes=changes)
    return Response(plan.as_json())


def _spec(data: dict[str, Any]) -> specs.TaskGroupSpec:
    kept = {name: value for name, value in data.items() if name not in READ_ONLY}
    return specs.load_data(kept, **services.spec_surroundings())


def _told(group: Any) -> dict[str, Any]:
    return {
        "id": group.pk,
        "owner": group.owner.get_username() if group.owner else None,
        "created_at": group.created_at,
        "updated_at": group.updated_at,
        **services.spec_of(group).model_dump(mode="json"),
    }
