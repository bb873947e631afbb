"""External work: taken by a member of the team, reported on, answered for.

Who takes an attempt first wins: the row is changed only where nobody holds it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from executions import selectors
from executions.dispatch import bus
from executions.dispatch.briefs import results_of
from executions.models import Attempt, Command, CommandVerb
from executions.runners.references import UnresolvedReferenceError, references, resolve
from executions.runners.results import keep

CLAIM_S = 300.0
"""Without a heartbeat for so long a taker loses the work."""
LINE_LIMIT = 200


class WorkTakenError(Exception):
    """The work is not yours (any more): somebody else has it, or it has ended."""


def work_claim(
    *, user: Any, team: str = "", attempt: Attempt | None = None, claim_s: float = CLAIM_S
) -> Attempt | None:
    """Take this attempt, or the most urgent one (of `team`); None: there is none to take."""
    offered = selectors.work_open(user)
    if team:
        offered = offered.filter(task_run__team=team)
    if attempt is not None:
        offered = offered.filter(pk=attempt.pk)
    for candidate in offered[:20]:
        with transaction.atomic():
            taken = Attempt.objects.filter(
                pk=candidate.pk, claimed_by=None, released_at=None
            ).update(claimed_by=user, claim_deadline=timezone.now() + timedelta(seconds=claim_s))
            if taken:
                _tell(candidate, user, CommandVerb.CLAIM, {})
                candidate.refresh_from_db()
                try:
                    work_payload(attempt=candidate)
                except UnresolvedReferenceError as error:
                    _tell(candidate, user, CommandVerb.FAIL, {"error": str(error)})
                else:
                    return candidate
    return None


def work_payload(*, attempt: Attempt) -> Any:
    """What is asked for, with results of earlier tasks filled in; UnresolvedReferenceError."""
    payload = attempt.task_run.payload
    tasks, _secrets = references(payload)
    if not tasks:
        return payload
    return resolve(payload, results=results_of(attempt.execution_id, tasks), secrets={})


def work_payload_shown(*, attempt: Attempt) -> Any:
    """The same for people who look before they take it: as it was written where it cannot be."""
    try:
        return work_payload(attempt=attempt)
    except UnresolvedReferenceError:
        return attempt.task_run.payload


def work_heartbeat(
    *,
    token: str,
    user: Any,
    progress: float | None = None,
    line: str = "",
    claim_s: float = CLAIM_S,
) -> None:
    """Keep the work for longer, and say how far it is. Raises WorkTakenError."""
    changes: dict[str, Any] = {"claim_deadline": timezone.now() + timedelta(seconds=claim_s)}
    if progress is not None:
        changes["progress"] = min(max(progress, 0.0), 100.0)
    if line:
        changes["progress_line"] = line[:LINE_LIMIT]
    if _is_answered(token) or not _mine(token, user).update(**changes):
        raise WorkTakenError


def work_complete(*, token: str, user: Any, result: Any = None) -> None:
    """The work is done. Raises WorkTakenError or BadResultError."""
    _end(_mine(token, user), user, CommandVerb.COMPLETE, {"result": keep(result)})


def work_fail(*, token: str, user: Any, error: str) -> None:
    """The work failed. Raises WorkTakenError."""
    _end(_mine(token, user), user, CommandVerb.FAIL, {"error": error})


def work_hand_back(*, token: str, user: Any) -> None:
    """Offer it to others again; no retry is consumed. Raises WorkTakenError."""
    held = selectors.work_returnable(user).filter(token=token)
    _end(held, user, CommandVerb.HAND_BACK, {})


def _mine(token: str, user: Any) -> QuerySet[Attempt]:
    return selectors.work_taken(user).filter(token=token)


def _is_answered(token: str) -> bool:
    """Whether the dispatcher has an answer that it did not come to yet."""
    verbs = (CommandVerb.COMPLETE, CommandVerb.FAIL, CommandVerb.HAND_BACK)
    return Command.objects.filter(attempt__token=token, verb__in=verbs).exists()


def _end(held: QuerySet[Attempt], user: Any, verb: CommandVerb, payload: dict[str, Any]) -> None:
    """End the attempt that is held, if there is one that nobody ended. Raises WorkTakenError."""
    with transaction.atomic():
        attempt = held.select_for_update(of=("self",)).first()
        if attempt is None or _is_answered(attempt.token):
            raise WorkTakenError
        _tell(attempt, user, verb, payload)


def _tell(attempt: Attempt, user: Any, verb: CommandVerb, payload: dict[str, Any]) -> None:
    Command.objects.create(
        execution=attempt.execution,
        attempt=attempt,
        verb=verb,
        payload=payload,
        by=user,
        at=timezone.now(),
    )
    transaction.on_commit(bus.wake)
