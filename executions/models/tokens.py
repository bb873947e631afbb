"""How far a token goes: what its user may do, or less."""

from __future__ import annotations

from enum import StrEnum

from django.db import models
from knox.models import AuthToken


class Scope(StrEnum):
    """How far a token goes, from least to most."""

    READ = "read"
    """Look, forecast."""
    OPERATE = "operate"
    """Run, pause, cancel, retry what is saved; take and answer work."""
    CONFIGURE = "configure"
    """All that the user may."""

    def reaches(self, needed: Scope) -> bool:
        """Whether this scope takes in that one."""
        order = list(Scope)
        return order.index(self) >= order.index(needed)


class TokenScope(models.Model):
    """The scope of one token; a token without, made some other way than ours, looks only."""

    token = models.OneToOneField(
        AuthToken, primary_key=True, on_delete=models.CASCADE, related_name="scope"
    )
    scope = models.CharField(max_length=16, choices=[(s.value, s.value) for s in Scope])

    def __str__(self) -> str:
        return self.scope
