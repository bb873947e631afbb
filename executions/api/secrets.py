"""Secrets: what there is by name, and their values, which go in and never come out."""

from __future__ import annotations

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response

from executions import selectors, services
from executions.api import shapes
from executions.api.pagination import page_of, paged
from executions.api.parsing import asked
from executions.api.permissions import require


def _allowed(request: Request, verb: str) -> None:
    """Even their names are told to nobody who may not change them."""
    require(request, f"{verb}_secret", least=services.Scope.CONFIGURE)


@paged
@extend_schema(
    methods=["GET"],
    operation_id="secret_list",
    summary="Names and when they changed",
    responses=shapes.SecretShape(many=True),
)
@extend_schema(
    methods=["POST"],
    operation_id="secret_make",
    summary="Make one",
    request=shapes.NewSecretShape,
    responses={201: shapes.SecretShape, 409: shapes.ProblemShape},
)
@api_view(["GET", "POST"])
def secret_collection(request: Request) -> Response:
    """Names, descriptions and when they changed; POST makes a secret."""
    if request.method == "POST":
        _allowed(request, "add")
        secret = services.secret_make(user=request.user, **asked(shapes.NewSecretShape, request))
        return Response(shapes.SecretShape(secret).data, status.HTTP_201_CREATED)
    _allowed(request, "view")
    return page_of(
        request, selectors.secrets(), lambda page: shapes.SecretShape(page, many=True).data
    )


@extend_schema(
    methods=["GET"],
    operation_id="secret_get",
    summary="One, without its value",
    responses=shapes.SecretShape,
)
@extend_schema(
    methods=["PUT"],
    operation_id="secret_replace",
    summary="Give it another value from the next attempt on",
    request=shapes.SecretValueShape,
    responses=shapes.SecretShape,
)
@extend_schema(
    methods=["DELETE"], operation_id="secret_delete", summary="Remove it", responses={204: None}
)
@api_view(["GET", "PUT", "DELETE"])
def secret_detail(request: Request, name: str) -> Response:
    """One of them; PUT gives it another value, which holds from the next attempt on."""
    verbs = {"PUT": "change", "DELETE": "delete"}
    _allowed(request, verbs.get(str(request.method), "view"))
    secret = selectors.secrets().filter(name=name.replace("\0", "")).first()
    if secret is None:
        raise Http404
    if request.method == "DELETE":
        services.secret_delete(secret=secret, user=request.user)
        return Response(status=status.HTTP_204_NO_CONTENT)
    if request.method == "PUT":
        given = asked(shapes.SecretValueShape, request)
        services.secret_replace(secret=secret, user=request.user, **given)
    return Response(shapes.SecretShape(secret).data)
