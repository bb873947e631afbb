"""Secrets made, given other values and removed; a value goes in and is never told again."""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, transaction

from executions.models import Secret
from executions.models.secrets import SECRET_CHARACTERS, SECRET_CHARACTERS_MOST

__all__ = [
    "SECRET_CHARACTERS",
    "SECRET_CHARACTERS_MOST",
    "SecretExistsError",
    "secret_delete",
    "secret_make",
    "secret_replace",
]


class SecretExistsError(Exception):
    """There is a secret of this name. Replace its value instead."""


def secret_make(*, name: str, value: str, description: str, user: Any) -> Secret:
    """A new secret; raises ValidationError or SecretExistsError."""
    secret = Secret(name=name, description=description)
    secret.seal(value)
    secret.clean_fields()
    try:
        with transaction.atomic():
            _save(secret, user)
    except IntegrityError:
        raise SecretExistsError from None
    return secret


def secret_replace(*, secret: Secret, value: str, description: str | None, user: Any) -> None:
    """Another value, from the next attempt on; None leaves the description as it is."""
    secret.seal(value)
    if description is not None:
        secret.description = description
    _save(secret, user)


def secret_delete(*, secret: Secret, user: Any) -> None:
    """Gone; attempts that name it fail by its name from now on."""
    setattr(secret, "_history_user", user)  # noqa: B010 (simple_history's documented way)
    secret.delete()


def _save(secret: Secret, user: Any) -> None:
    setattr(secret, "_history_user", user)  # noqa: B010 (simple_history's documented way)
    secret.save()
