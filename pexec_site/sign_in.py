"""How guesses of passwords are counted: for a name from an address; slower for each of them alone.

So a person who mistypes locks out nobody behind the same address, whoever guesses at one name
from many addresses is stopped, and so is whoever tries one password on many names.
"""

from __future__ import annotations

from typing import Any, Final

from axes.handlers.database import AxesDatabaseHandler
from django.db.models import Sum

FOR_ONE: Final = (1, 10, 10)
"""How many failures count as one, for each of AXES_LOCKOUT_PARAMETERS."""


class SignInHandler(AxesDatabaseHandler):  # type: ignore[misc] # axes has no types
    """Weighs failures."""

    def get_failures(self, request: Any, credentials: dict[str, Any] | None = None) -> int:
        """What is held against AXES_FAILURE_LIMIT."""
        kinds = zip(self.get_user_attempts(request, credentials), FOR_ONE, strict=True)
        return max(_failures(attempts) // for_one for attempts, for_one in kinds)


def _failures(attempts: Any) -> int:
    return attempts.aggregate(found=Sum("failures_since_start"))["found"] or 0
