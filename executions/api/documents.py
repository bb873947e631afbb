"""The JSON Schema of specs, for editors and for programs that write them."""

from __future__ import annotations

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import api_view, permission_classes
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from executions import specs


@extend_schema(operation_id="task_group_schema", responses=OpenApiTypes.OBJECT, auth=[])
@api_view(["GET"])
@permission_classes([AllowAny])
def task_group_schema(request: Request) -> Response:  # noqa: ARG001 (a view's signature)
    """JSON Schema of a task group spec."""
    return Response(specs.json_schema())
