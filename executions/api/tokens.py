"""Tokens for programs: made with a password, shown once, kept hashed, expiring."""

from __future__ import annotations

from django.contrib.auth import authenticate
from drf_spectacular.utils import extend_schema
from knox.auth import TokenAuthentication
from knox.models import AuthToken
from rest_framework import serializers, status
from rest_framework.decorators import (
    api_view,
    authentication_classes,
    parser_classes,
    permission_classes,
    throttle_classes,
)
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import AnonRateThrottle

from executions import services
from executions.api import shapes
from executions.api.parsing import SmallJsonParser, asked


class SignInThrottle(AnonRateThrottle):
    """Passwords cannot be tried at will."""

    rate = "30/min"


@extend_schema(
    operation_id="token_make",
    request=shapes.CredentialsShape,
    responses={201: shapes.TokenShape},
    auth=[],
)
@api_view(["POST"])
@authentication_classes([TokenAuthentication])
@permission_classes([AllowAny])
@parser_classes([SmallJsonParser])
@throttle_classes([SignInThrottle])
def token_make(request: Request) -> Response:
    """A new token; send it as `Authorization: Token …`."""
    wanted = asked(shapes.CredentialsShape, request)
    user = authenticate(request, username=wanted["username"], password=wanted["password"])
    if user is None:
        raise AuthenticationFailed("wrong user name or password")
    scope = services.Scope(wanted["scope"])
    token, expires_at = services.token_make(user=user, scope=scope, days=wanted["days"])
    answer = {"token": token, "scope": scope.value, "expires_at": expires_at}
    return Response(answer, status.HTTP_201_CREATED)


@extend_schema(
    operation_id="token_end", request=None, responses={204: None, 400: shapes.ProblemShape}
)
@api_view(["POST"])
def token_end(request: Request) -> Response:
    """End the token this request came with."""
    if not isinstance(request.auth, AuthToken):
        raise serializers.ValidationError({"": ["this request came without a token"]})
    request.auth.delete()
    return Response(status=status.HTTP_204_NO_CONTENT)
