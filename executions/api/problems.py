"""Every error as `application/problem+json` (RFC 9457); faults of a spec each with its place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404
from rest_framework import exceptions, status
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.views import exception_handler

from executions import exports, selectors, services, specs
from executions.reporting.forecast import TooLargeError
from executions.runners.results import BadResultError
from executions.scheduling.simulation import SimulationStalled

NON_FIELD_ERRORS_KEY = api_settings.NON_FIELD_ERRORS_KEY
WITH_FAULTS = "The request has faults."
PROBLEM_TYPE = "application/problem+json"

STATUS_OF: dict[type[Exception], int] = {
    specs.SpecTooLargeError: status.HTTP_413_REQUEST_ENTITY_TOO_LARGE,
    specs.SpecInvalidError: status.HTTP_400_BAD_REQUEST,
    exports.UnknownFormatError: status.HTTP_400_BAD_REQUEST,
    selectors.NoSuchStateError: status.HTTP_400_BAD_REQUEST,
    BadResultError: status.HTTP_400_BAD_REQUEST,
    TooLargeError: status.HTTP_400_BAD_REQUEST,
    SimulationStalled: status.HTTP_409_CONFLICT,
    services.IdempotencyConflictError: status.HTTP_409_CONFLICT,
    services.NothingToRetryError: status.HTTP_409_CONFLICT,
    services.NotAllowedNowError: status.HTTP_409_CONFLICT,
    services.SecretExistsError: status.HTTP_409_CONFLICT,
    services.WorkTakenError: status.HTTP_409_CONFLICT,
}


PLACES: dict[type[Exception], str] = {
    exports.UnknownFormatError: "format",
    selectors.NoSuchStateError: "state",
    BadResultError: "result",
}
"""Where in a request these errors lie."""


def handle(error: Exception, context: dict[str, Any]) -> Response | None:
    """The answer to an error; None for one that is a bug, which is then a plain 500."""
    if isinstance(error, ValidationError):  # Django's, from a model
        error = exceptions.ValidationError(
            error.message_dict if hasattr(error, "error_dict") else error.messages
        )
    if isinstance(error, (Http404, PermissionDenied, exceptions.APIException)):
        found = exception_handler(error, context)
        assert found is not None
        return _problem(
            found.status_code, _detail(error, found.data), _faults(error, found.data), found
        )
    for kind, code in STATUS_OF.items():
        if isinstance(error, kind):
            return _problem(code, *_told(error))
    return None


def _told(error: Exception) -> tuple[str, list[dict[str, str]]]:
    if isinstance(error, specs.SpecInvalidError):
        faults = [{"place": f.place, "message": f.message} for f in error.faults]
        return WITH_FAULTS, faults
    told = str(error) or (type(error).__doc__ or "").strip()
    place = PLACES.get(type(error))
    return told, [] if place is None else [{"place": place, "message": told}]


def _problem(
    code: int, detail: str, faults: list[dict[str, str]], found: Response | None = None
) -> Response:
    title = PHRASES.get(code, "Error")
    body: dict[str, Any] = {"type": "about:blank", "title": title, "status": code, "detail": detail}
    if faults:
        body["faults"] = faults
    headers = {
        k: found[k] for k in ("WWW-Authenticate", "Retry-After", "Allow") if found and k in found
    }
    return Response(body, status=code, headers=headers, content_type=PROBLEM_TYPE)


PHRASES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    409: "Conflict",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    429: "Too Many Requests",
}


def _detail(error: Exception, data: Any) -> str:
    if isinstance(error, exceptions.ValidationError):
        return WITH_FAULTS
    return str(data.get("detail", error)) if isinstance(data, dict) else str(error)


def _faults(error: Exception, data: Any) -> list[dict[str, str]]:
    if not isinstance(error, exceptions.ValidationError):
        return []
    return [{"place": place, "message": text} for place, text in _flat("", data)]


def _flat(place: str, data: Any) -> Iterator[tuple[str, str]]:
    if isinstance(data, dict):
        for name, inner in data.items():
            if name == NON_FIELD_ERRORS_KEY:
                yield from _flat(place, inner)
            else:
                yield from _flat(f"{place}.{name}" if place else str(name), inner)
    elif isinstance(data, list):
        for inner in data:
            yield from _flat(place, inner)
    else:
        yield place, str(data)
