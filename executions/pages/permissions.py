"""What the user of a page may do; what one may not see is 404, what one may not do is 403."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest


def require(request: HttpRequest, permission: str) -> None:
    """Raise PermissionDenied unless the user has this permission of the product."""
    if not request.user.has_perm(f"executions.{permission}"):
        raise PermissionDenied
