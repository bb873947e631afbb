"""External work: taken, kept alive and answered by people and outside agents of its team."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response

from executions import services
from executions.api import shapes
from executions.api.parsing import asked
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


@extend_schema(
    operation_id="work_heartbeat",
    request=shapes.HeartbeatShape,
    responses={204: None, 409: shapes.ProblemShape},
)
@api_view(["POST"])
def work_heartbeat(request: Request, token: str) -> Response:
    """Keep the work, and say how far it is."""
    require(request, "add_execution")
    services.work_heartbeat(token=token, user=request.user, **asked(shapes.HeartbeatShape, request))
    return Response(status=status.HTTP_204_NO_CONTENT)


@extend_schema(
    operation_id="work_complete",
    request=shapes.CompletionShape,
    responses={204: None, 409: shapes.ProblemShape},
)
@api_view(["POST"])
def work_complete(request: Request, token: str) -> Response:
    """The work is done."""
    require(request, "add_execution")
    services.work_complete(token=token, user=request.user, **asked(shapes.CompletionShape, request))
    return Response(status=status.HTTP_204_NO_CONTENT)


@extend_schema(
    operation_id="work_fail",
    request=shapes.FailureShape,
    responses={204: None, 409: shapes.ProblemShape},
)
@api_view(["POST"])
def work_fail(request: Request, token: str) -> Response:
    """The work failed."""
    require(request, "add_execution")
    services.work_fail(token=token, user=request.user, **asked(shapes.FailureShape, request))
    return Response(status=status.HTTP_204_NO_CONTENT)


@extend_schema(
    operation_id="work_hand_back",
    request=None,
    responses={204: None, 409: shapes.ProblemShape},
)
@api_view(["POST"])
def work_hand_back(request: Request, token: str) -> Response:
    """Give the work back: it is offered again, and no retry is consumed."""
    require(request, "add_execution")
    services.work_hand_back(token=token, user=request.user)
    return Response(status=status.HTTP_204_NO_CONTENT)
