"""Secrets that payloads name (`${secret:NAME}`): kept sealed, opened only where work begins."""

from __future__ import annotations

import base64
from collections.abc import Collection

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.core.validators import MaxLengthValidator, MinLengthValidator
from django.db import models
from simple_history.models import HistoricalRecords

from executions.models.limits import name_validator

SECRET_CHARACTERS = 8
"""The least a secret has: shorter ones would be masked in every second word of an output."""
SECRET_CHARACTERS_MOST = 65536
secret_validators = (
    MinLengthValidator(SECRET_CHARACTERS),
    MaxLengthValidator(SECRET_CHARACTERS_MOST),
)


class SecretUnreadableError(Exception):
    """It was sealed with another SECRET_KEY: set it anew, or see SECRET_KEY_FALLBACKS."""


class Secret(models.Model):
    """One secret. Its value goes in by `seal` and is never shown."""

    name = models.CharField(max_length=64, unique=True, validators=[name_validator])
    description = models.CharField(max_length=200, blank=True)
    sealed = models.TextField(editable=False)
    changed_at = models.DateTimeField(auto_now=True)
    history = HistoricalRecords(excluded_fields=["sealed"])

    class Meta:
        ordering = ("name",)
        permissions = (("use_secrets", "Can define tasks that use secrets"),)

    def __str__(self) -> str:
        return self.name

    def seal(self, value: str) -> None:
        """Take a new value."""
        self.sealed = _lock().encrypt(value.encode()).decode()


def secret_values(names: Collection[str]) -> dict[str, str]:
    """The values of those of these secrets that exist. Raises SecretUnreadableError."""
    found = {}
    for name, sealed in Secret.objects.filter(name__in=names).values_list("name", "sealed"):
        try:
            found[name] = _lock().decrypt(sealed.encode()).decode()
        except InvalidToken:
            raise SecretUnreadableError(f"secret '{name}' was sealed with another key") from None
    return found


def _lock() -> MultiFernet:
    """Made of SECRET_KEY; what older keys sealed can still be opened."""
    keys = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    return MultiFernet([Fernet(_derived(key)) for key in keys])


def _derived(key: str) -> bytes:
    made = HKDF(SHA256(), length=32, salt=None, info=b"pexec secrets").derive(key.encode())
    return base64.urlsafe_b64encode(made)
