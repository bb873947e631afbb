"""What a request may do; what one may not see is 404, what one may not do is 403."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404
from knox.models import AuthToken
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from executions import selectors, services

OPERATING = frozenset({"add_execution", "change_execution"})


def address_of(request: Any) -> str:
    """From where a request comes, for whatever counts guesses of passwords."""
    return str(BaseThrottle().get_ident(request))


def require(
    request: Request, permission: str, *, least: services.Scope = services.Scope.READ
) -> None:
    """Raise PermissionDenied unless user and token have this permission of the product.

    `least`: how far a token must go at least, also to look.
    """
    if isinstance(request.auth, AuthToken):
        needed = least if permission.startswith("view_") else _scope_for(permission)
        if not selectors.token_scope(request.auth).reaches(needed):
            raise PermissionDenied(f"this token may not {needed}")
    if not request.user.has_perm(f"executions.{permission}"):
        raise PermissionDenied(f"you lack the permission '{permission}'")


def _scope_for(permission: str) -> services.Scope:
    """How far a token must go to change something."""
    return services.Scope.OPERATE if permission in OPERATING else services.Scope.CONFIGURE


def visible_execution(request: Request, public_id: str) -> Any:
    """The execution, or 404."""
    require(request, "view_execution")
    execution = selectors.execution_find(request.user, public_id)
    if execution is None:
        raise Http404
    return execution


def visible_group(request: Request, key: Any) -> Any:
    """The task group with this key or name, or 404."""
    require(request, "view_taskgroup")
    groups = selectors.groups_visible_to(request.user)
    is_key = isinstance(key, int) or (isinstance(key, str) and key.isascii() and key.isdigit())
    group = groups.filter(pk=int(key)).first() if is_key and int(key) < 2**63 else None
    group = group or groups.filter(name=str(key)).first()
    if group is None:
        raise Http404
    return group
