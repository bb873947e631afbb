"""Teams, task types and resources: their limits, their use now, and changing one."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response

from executions import selectors, services
from executions.api import shapes
from executions.api.pagination import page_of, paged
from executions.api.parsing import asked
from executions.api.permissions import require
from executions.scheduling.model import LimitKind
from executions.watching import uses


def _rows(request: Request, kind: LimitKind) -> list[dict[str, Any]]:
    """Every limit of the kind; holders in executions the user may not see stay unnamed."""
    rows = [row for row in uses.limit_rows() if row["kind"] == kind]
    holders = {holder["execution"] for row in rows for holder in row["holders"]}
    visible = selectors.executions_visible_among(request.user, holders)
    for row in rows:
        row["holders"] = [_holder(holder, visible) for holder in row["holders"]]
    return list(shapes.LimitShape(rows, many=True).data)


def _holder(holder: dict[str, Any], visible: set[int]) -> dict[str, Any]:
    is_visible = holder["execution"] in visible
    return {
        "execution": f"PEXEC-{holder['execution']}" if is_visible else None,
        "task": holder["task_id"] if is_visible else None,
        "units": holder["units"],
        "since": holder["since"],
    }


def _views(kind: LimitKind, permission: str) -> tuple[Any, Any]:
    """The list of one kind of limit, and one of them."""

    @paged
    @extend_schema(operation_id=f"{kind}_list", responses=shapes.LimitShape(many=True))
    @api_view(["GET"])
    def collection(request: Request) -> Response:
        """All of them with present use, who waits and who holds."""
        require(request, f"view_{permission}")
        return page_of(request, _rows(request, kind), list)

    @extend_schema(
        methods=["GET"],
        operation_id=f"{kind}_get",
        summary="One, with its use now",
        responses=shapes.LimitShape,
    )
    @extend_schema(
        methods=["PATCH"],
        operation_id=f"{kind}_change",
        summary="Change its limit from the next decision on",
        request=shapes.LimitChangeShape,
        responses=shapes.LimitShape,
    )
    @api_view(["GET", "PATCH"])
    def detail(request: Request, name: str) -> Response:
        """One of them; PATCH changes its limit from the next decision on."""
        require(request, f"view_{permission}")
        limit = selectors.limit_find(kind, name)
        if limit is None:
            raise Http404
        if request.method == "PATCH":
            require(request, f"change_{permission}")
            change = asked(shapes.LimitChangeShape, request)
            services.limit_change(
                limit=limit,
                value=change["maximum"],
                user=request.user,
                reason=change["reason"],
            )
        return Response(next(row for row in _rows(request, kind) if row["name"] == name))

    return collection, detail


team_collection, team_detail = _views(LimitKind.TEAM, "team")
task_type_collection, task_type_detail = _views(LimitKind.TASK_TYPE, "tasktype")
resource_collection, resource_detail = _views(LimitKind.RESOURCE, "resource")
