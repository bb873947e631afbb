"""External work: taken, kept alive and answered by people and outside agents of its team."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response

from executions import services
from executions.api import shapes
from executions.api.openapi import words_of
from executions.api.parsing import Asked, asked
from executions.api.permissions import require


@extend_schema(
    operation_id="work_claim",
    request=shapes.ClaimShape,
    responses={200: shapes.WorkShape, 204: None},
)
@api_view(["POST"])
def work_claim(request: Request) -> Response:
    """Take the most urgent open work (of a team); 204: there is none."""
    require(request, "add_execution")
    attempt = services.work_claim(user=request.user, team=asked(shapes.ClaimShape, request)["team"])
    if attempt is None:
        return Response(status=status.HTTP_204_NO_CONTENT)
    return Response(shapes.WorkShape(attempt).data)


def _answer(name: str, service: Callable[..., None], shape: type[Asked] | None = None) -> Any:
    """A view by which who holds work says one thing of it."""

    @extend_schema(
        operation_id=f"work_{name}",
        description=words_of(service),
        request=shape,
        responses={204: None, 409: shapes.ProblemShape},
    )
    @api_view(["POST"])
    def view(request: Request, token: str) -> Response:
        require(request, "add_execution")
        said = asked(shape, request) if shape else {}
        service(token=token, user=request.user, **said)
        return Response(status=status.HTTP_204_NO_CONTENT)

    return view


work_heartbeat = _answer("heartbeat", services.work_heartbeat, shapes.HeartbeatShape)
work_complete = _answer("complete", services.work_complete, shapes.CompletionShape)
work_fail = _answer("fail", services.work_fail, shapes.FailureShape)
work_hand_back = _answer("hand_back", services.work_hand_back)
