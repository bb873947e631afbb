"""Tokens for programs: shown once, kept hashed, expiring, going so far and no further."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from knox.models import AuthToken

from executions.models.tokens import Scope, TokenScope

__all__ = ["Scope", "token_make"]


@transaction.atomic
def token_make(*, user: Any, scope: Scope, days: int) -> tuple[str, datetime]:
    """A new token, which nobody can read again, and when it ends."""
    made, token = AuthToken.objects.create(user, expiry=timedelta(days=days))
    TokenScope.objects.create(token=made, scope=scope.value)
    return token, made.expiry
