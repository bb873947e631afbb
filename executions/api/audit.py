"""Who did what, for those who may know; as pages of JSON, or a table."""

from __future__ import annotations

from collections.abc import Mapping

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import api_view
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from executions import selectors
from executions.api import shapes
from executions.api.pagination import page_of, paged
from executions.api.permissions import require
from executions.attachments import attachment
from executions.exports.audit_csv import audit_csv

CSV_ROWS = 100_000
FILTERS = ("by", "verb", "q", "since", "until")
FORMATS = ("json", "csv")


def _check(asked: Mapping[str, str]) -> None:
    """A filter that was misread would show another audit than the one asked for."""
    faults = {
        name: ["must be a time in ISO 8601"]
        for name in ("since", "until")
        if asked.get(name) and selectors.moment_of(asked[name]) is None
    }
    if asked.get("format", "json") not in FORMATS:
        faults["format"] = [f"there are {', '.join(FORMATS)}"]
    if faults:
        raise ValidationError(faults)


@paged
@extend_schema(
    operation_id="audit_list",
    summary="Who did what, the newest first",
    parameters=[
        *(OpenApiParameter(name, OpenApiTypes.STR) for name in FILTERS),
        OpenApiParameter("format", OpenApiTypes.STR, enum=FORMATS),
    ],
    responses={
        (200, "application/json"): shapes.AuditShape(many=True),
        (200, "text/csv"): OpenApiTypes.STR,
    },
)
@api_view(["GET"])
def audit_collection(request: Request) -> HttpResponse | Response:
    """The newest first; `since` and `until` are ISO times; `format=csv` gives a table."""
    require(request, "view_auditentry")
    _check(request.query_params)
    found = selectors.audit_entries(request.query_params)
    if request.query_params.get("format") == "csv":
        rows = found.values_list("at", "by", "verb", "target", "details")[:CSV_ROWS]
        text = audit_csv((at.isoformat(), *more) for at, *more in rows)
        return attachment(text, "audit.csv", "text/csv")
    return page_of(request, found, lambda page: shapes.AuditShape(page, many=True).data)
