"""What people ask of a run: written down, then told to the dispatcher."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone

from executions.dispatch import bus
from executions.models import Attempt, Command, CommandVerb, Execution
from executions.scheduling.model import FINAL_EXECUTION_STATES, ExecutionState

REASON_LIMIT = 200


class NotAllowedNowError(Exception):
    """That makes no sense in the state the execution is in; look at it again."""


def execution_cancel(*, execution: Execution, user: Any) -> None:
    """Ask that what runs is stopped and nothing more starts. Asking twice does no harm."""
    _ask(execution, user, CommandVerb.CANCEL)


def execution_pause(*, execution: Execution, user: Any) -> None:
    """Ask that nothing new starts."""
    _ask(execution, user, CommandVerb.PAUSE)


def execution_resume(*, execution: Execution, user: Any) -> None:
    """Ask that it goes on."""
    _ask(execution, user, CommandVerb.RESUME)


def _ask(execution: Execution, user: Any, verb: CommandVerb) -> None:
    execution.refresh_from_db(fields=["state"])
    if ExecutionState(execution.state) in FINAL_EXECUTION_STATES:
        if verb is CommandVerb.CANCEL and execution.state == ExecutionState.CANCELLED:
            return
        raise NotAllowedNowError(f"{execution.public_id} is {execution.state}")
    with transaction.atomic():
        Command.objects.create(execution=execution, verb=verb, by=user, at=timezone.now())
        transaction.on_commit(bus.wake)


def attempt_force_close(*, attempt: Attempt, user: Any, reason: str) -> None:
    """Declare a live attempt lost, whatever its worker says. Its permits are free at once.

    The worker is told to stop it; what it says of it from now on changes nothing. The command is
    the audit: who, when, why.
    """
    attempt.refresh_from_db(fields=["released_at"])
    if attempt.released_at is not None:
        raise NotAllowedNowError("the attempt has ended")
    with transaction.atomic():
        Command.objects.create(
            execution=attempt.execution,
            attempt=attempt,
            verb=CommandVerb.FORCE_CLOSE,
            payload={"reason": reason[:REASON_LIMIT]},
            by=user,
            at=timezone.now(),
        )
        transaction.on_commit(bus.wake)
