"""Lists come in pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from rest_framework.exceptions import ValidationError
from rest_framework.pagination import PageNumberPagination
from rest_framework.request import Request
from rest_framework.response import Response

from executions.specs import whole_number

SIZE_DIGITS = 15
View = TypeVar("View", bound=Callable[..., Any])


class Pages(PageNumberPagination):
    """`page` and `page_size`; at most 1000 a page."""

    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 1000

    def get_page_size(self, request: Request) -> int:
        """Rows a page. Raises ValidationError: a size misread would be another list."""
        text = request.query_params.get("page_size", str(self.page_size))
        number = whole_number(text, SIZE_DIGITS)
        if not number:
            raise ValidationError({"page_size": ["must be a whole number of at least 1"]})
        return min(number, self.max_page_size)

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Of a page with rows of this schema, in the words of OpenAPI 3.1."""
        found = super().get_paginated_response_schema(schema)
        for name in ("next", "previous"):
            told = found["properties"][name]
            told["type"] = [told["type"], "null"]
            del told["nullable"]
        return found


def paged(view: View) -> View:
    """Mark a view's lists as coming in pages, for the OpenAPI document."""
    view.cls.pagination_class = Pages  # type: ignore[attr-defined]
    return view


def page_of(request: Request, found: Any, told: Callable[[list[Any]], Any]) -> Response:
    """The page asked for of what was found (rows in an order, or a list), as `told` tells it."""
    pages = Pages()
    return pages.get_paginated_response(told(pages.paginate_queryset(found, request) or []))
