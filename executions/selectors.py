"""Every read; each through visible_to(user)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY, get_user_model
from django.db.models import Count, Q, QuerySet
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from executions.models import (
    Attempt,
    AuditEntry,
    Execution,
    Resource,
    Secret,
    TaskGroup,
    TaskRun,
    TaskType,
    Team,
)
from executions.models.runs import EXECUTION_ID_PREFIX
from executions.models.tokens import Scope, TokenScope
from executions.scheduling.model import (
    FINAL_EXECUTION_STATES,
    OPEN_EXECUTION_STATES,
    ExecutionState,
    LimitKind,
    OnCriticalFailure,
    Strategy,
    TaskState,
)
from executions.specs import KEY_DIGITS, whole_number

RECENT_FINISHED = 30
EXECUTION_STATES = tuple(state.value for state in ExecutionState)
TASK_STATES = tuple(state.value for state in TaskState)


class NoSuchStateError(Exception):
    """What was asked for names a state that there is not; ask for one of those the text names."""


def _states(asked: str, known: tuple[str, ...]) -> list[str]:
    """One or several with commas; an empty list would hide that nothing can be in such a state."""
    found = asked.split(",")
    for state in found:
        if state not in known:
            raise NoSuchStateError(f"no state {state[:40]!r}; there are {', '.join(known)}")
    return found


def session_user(key: str | None) -> Any | None:
    """Who is signed in by this session, as the database has both now.

    None: signed out or run out, the password changed since, gone or no longer active.
    """
    session = import_module(settings.SESSION_ENGINE).SessionStore(key)
    pk = session.get(SESSION_KEY)
    user = pk and get_user_model().objects.filter(pk=pk, is_active=True).first()
    if not user:
        return None
    known = session.get(HASH_SESSION_KEY, "")
    hashes = (user.get_session_auth_hash(), *user.get_session_auth_fallback_hash())
    return user if any(constant_time_compare(known, hash_) for hash_ in hashes) else None


def groups_visible_to(user: Any) -> QuerySet[TaskGroup]:
    """Task groups the user may see: those of no team, of their teams, and their own."""
    if not user.has_perm("executions.view_taskgroup"):
        return TaskGroup.objects.none()
    if user.is_superuser:
        return TaskGroup.objects.all()
    mine = TaskGroup.objects.filter(
        Q(owning_teams=None) | Q(owning_teams__in=user.teams.all()) | Q(owner=user)
    )
    return TaskGroup.objects.filter(pk__in=mine.values("pk"))


def executions_visible_to(user: Any) -> QuerySet[Execution]:
    """Executions of groups (also deleted ones) the user may see, and their own."""
    if not user.has_perm("executions.view_execution"):
        return Execution.objects.none()
    if user.is_superuser:
        return Execution.objects.all()
    owned = Execution.owning_teams.through.objects.all()
    theirs = owned.filter(team__in=user.teams.all())
    return Execution.objects.filter(
        Q(group__in=groups_visible_to(user).values("pk"))
        | Q(submitted_by=user)
        | Q(group=None)
        & (Q(pk__in=theirs.values("execution")) | ~Q(pk__in=owned.values("execution")))
    )


def token_scope(token: Any) -> Scope:
    """How far a token goes; one without a word on it looks only."""
    found = TokenScope.objects.filter(token=token).values_list("scope", flat=True).first()
    return Scope.READ if found is None else Scope(found)


def execution_find(user: Any, public_id: str) -> Execution | None:
    """The execution with this public id, if there is one the user may see."""
    number = public_id.removeprefix(EXECUTION_ID_PREFIX)
    key = whole_number(number, KEY_DIGITS)
    if number == public_id or key is None:
        return None
    return (
        executions_visible_to(user)
        .select_related("group", "submitted_by", "parent")
        .filter(pk=key)
        .first()
    )


def executions_open(user: Any) -> QuerySet[Execution]:
    """Every execution that is not over, the newest first."""
    visible = executions_visible_to(user).select_related("submitted_by", "group")
    return visible.filter(state__in=sorted(OPEN_EXECUTION_STATES)).order_by("-pk")


def executions_recent(user: Any) -> list[Execution]:
    """Every open execution, then the newest finished ones."""
    visible = executions_visible_to(user).select_related("submitted_by", "group")
    finished = visible.filter(state__in=sorted(FINAL_EXECUTION_STATES)).order_by("-pk")
    return [*executions_open(user), *finished[:RECENT_FINISHED]]


def executions_visible(user: Any, keys: Iterable[int]) -> list[Execution]:
    """Those of these executions that the user may see, with owner and group."""
    found = executions_visible_to(user).select_related("submitted_by", "group")
    return list(found.filter(pk__in=list(keys)))


def executions_visible_among(user: Any, keys: Iterable[int]) -> set[int]:
    """Which of these executions the user may see."""
    found = executions_visible_to(user).filter(pk__in=list(keys))
    return set(found.values_list("pk", flat=True))


def _midnight() -> datetime:
    return timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)


def execution_figures(user: Any) -> dict[str, int]:
    """What ended since midnight (UTC)."""
    today = executions_visible_to(user).filter(completed_at__gte=_midnight())
    return {
        "completed_today": today.filter(state="completed").count(),
        "failed_today": today.filter(state="failed").count(),
    }


def executions_filtered(user: Any, asked: Mapping[str, str]) -> QuerySet[Execution]:
    """Executions by state (several with commas; `open`), group, owner, words, since."""
    filters = {name: value.replace("\0", "") for name, value in asked.items()}
    found = executions_visible_to(user).select_related("group", "submitted_by").order_by("-pk")
    if state := filters.get("state"):
        wanted = (
            sorted(OPEN_EXECUTION_STATES) if state == "open" else _states(state, EXECUTION_STATES)
        )
        found = found.filter(state__in=wanted)
    if group := filters.get("group"):
        found = found.filter(group_id=whole_number(group, KEY_DIGITS))
    if owner := filters.get("owner"):
        found = found.filter(submitted_by__username=owner)
    if words := filters.get("q", "").strip():
        key = whole_number(words.upper().removeprefix(EXECUTION_ID_PREFIX), KEY_DIGITS)
        found = found.filter(Q(name__icontains=words) | Q(pk=key))
    if filters.get("today"):
        found = found.filter(completed_at__gte=_midnight())
    return found


def task_runs_filtered(execution: Execution, *, state: str, words: str) -> QuerySet[TaskRun]:
    """Task runs of an execution by state (several with commas) and words, in order."""
    found = TaskRun.objects.filter(execution=execution).order_by("position")
    if state:
        found = found.filter(state__in=_states(state, TASK_STATES))
    if words := words.replace("\0", ""):
        found = found.filter(Q(task_id__icontains=words) | Q(title__icontains=words))
    return found


def task_failures_recent(user: Any) -> list[TaskRun]:
    """The newest failed task runs of the last day."""
    since = timezone.now() - timedelta(days=1)
    return list(
        TaskRun.objects.filter(
            execution__in=executions_visible_to(user).filter(_touched_since(since)).values("pk"),
            state="failed",
            finished_at__gte=since,
        )
        .select_related("execution")
        .order_by("-finished_at")[:8]
    )


def _touched_since(since: datetime) -> Q:
    return Q(completed_at__gte=since) | Q(state__in=sorted(OPEN_EXECUTION_STATES))


LIMIT_MODELS: Mapping[LimitKind, type[Team | TaskType | Resource]] = {
    LimitKind.TEAM: Team,
    LimitKind.TASK_TYPE: TaskType,
    LimitKind.RESOURCE: Resource,
}


def limit_find(kind: LimitKind, name: str) -> Team | TaskType | Resource | None:
    """A team, task type or resource by its name."""
    return LIMIT_MODELS[kind].objects.filter(name=name).first()


def groups_listed(user: Any, words: str) -> QuerySet[TaskGroup]:
    """Task groups with their number of tasks, by words in the name."""
    found = groups_visible_to(user).select_related("owner").annotate(task_count=Count("tasks"))
    if words:
        found = found.filter(name__icontains=words.replace("\0", ""))
    return found.order_by("name")


def editor_choices() -> dict[str, list[str]]:
    """Names the editor offers: teams, task types, resources, runners, strategies."""
    return {
        "team": list(Team.objects.values_list("name", flat=True)),
        "task_type": list(TaskType.objects.values_list("name", flat=True)),
        "resource": list(Resource.objects.values_list("name", flat=True)),
        "runner": list(settings.PEXEC_RUNNERS),
        "failure_strategy": [strategy.value for strategy in Strategy],
        "on_critical_failure": [choice.value for choice in OnCriticalFailure],
    }


def audit_entries(asked: Mapping[str, str]) -> QuerySet[AuditEntry]:
    """Who did what, the newest first: by person, verb, words in the target, since, until (ISO)."""
    filters = {name: value.replace("\0", "") for name, value in asked.items()}
    found = AuditEntry.objects.order_by("-id")
    if by := filters.get("by"):
        found = found.filter(by=by)
    if verb := filters.get("verb"):
        found = found.filter(verb=verb)
    if words := filters.get("q"):
        found = found.filter(target__icontains=words)
    for name, side in (("since", "at__gte"), ("until", "at__lt")):
        if (moment := moment_of(filters.get(name, ""))) is not None:
            found = found.filter(**{side: moment})
    return found


def secrets() -> QuerySet[Secret]:
    """Every secret, by name; for those who may know that they are there."""
    return Secret.objects.order_by("name")


def moment_of(text: str) -> datetime | None:
    """A date or time as ISO 8601 has it, in UTC unless it says otherwise; None for other text."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def limit_history(count: int = 50) -> list[dict[str, Any]]:
    """The newest changes of limits: when, who, from, to, why."""
    found = []
    for model in LIMIT_MODELS.values():
        field = "capacity" if model is Resource else "max_parallel"
        changes: Any = model.history
        for row in changes.select_related("history_user").order_by("-history_date")[:count]:
            before = row.prev_record
            value = getattr(row, field)
            if before is not None and getattr(before, field) == value:
                continue
            found.append(
                {
                    "at": row.history_date,
                    "name": row.name,
                    "by": row.history_user,
                    "before": getattr(before, field) if before else None,
                    "after": value,
                    "reason": row.history_change_reason,
                }
            )
    return sorted(found, key=lambda entry: entry["at"], reverse=True)[:count]


def work_open(user: Any) -> QuerySet[Attempt]:
    """External attempts that wait for a taker the user may be, the most urgent first."""
    offered = _work_of(user).filter(claimed_by=None, worker="")
    return offered.order_by("-task_run__priority", "dispatched_at")


def work_taken(user: Any) -> QuerySet[Attempt]:
    """External attempts that the user took, has not answered for, and may, the first taken first.

    Whoever left the team since may not.
    """
    return _work_of(user).filter(claimed_by=user).order_by("started_at", "pk")


def work_returnable(user: Any) -> QuerySet[Attempt]:
    """External attempts that somebody took and the user may hand back.

    Their own, and, with the right to operate, those of runs they see.
    """
    theirs = Q(claimed_by=user)
    if user.has_perm("executions.change_execution"):
        theirs |= Q(execution__in=executions_visible_to(user).values("pk"))
    held = Attempt.objects.filter(task_run__runner="external", released_at=None)
    return held.filter(theirs).exclude(claimed_by=None)


def _work_of(user: Any) -> QuerySet[Attempt]:
    """External attempts for the user: of a team of theirs; of no team where they see the run."""
    found = Attempt.objects.filter(task_run__runner="external", released_at=None)
    if not user.is_superuser:
        visible = executions_visible_to(user).values("pk")
        found = found.filter(
            Q(task_run__team__in=user.teams.values("name"))
            | Q(task_run__team="", execution__in=visible)
        )
    return found.select_related("task_run", "execution")
