"""Whether the site is up, can work, and what it counts: for load balancers and monitors."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from datetime import timedelta

import structlog
from django.core.exceptions import DisallowedHost
from django.db import DatabaseError, InterfaceError, OperationalError, connection
from django.db.models import Count, Sum
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.urls import is_valid_path
from django.views import defaults
from django.views.decorators.http import require_safe
from knox.auth import TokenAuthentication
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from rest_framework.exceptions import AuthenticationFailed

from executions.dispatch.bus import BusDownError, default_bus
from executions.models import (
    Attempt,
    Demand,
    DispatcherProcess,
    Execution,
    Leadership,
    WorkerProcess,
)
from executions.scheduling.model import OPEN_EXECUTION_STATES
from executions.watching import audit, uses
from executions.watching.shared import KeptReadings

log = structlog.get_logger(__name__)

KEPT_S = 1.0
"""Anybody may ask, and each answer counts in the tables: so all who ask within this share one."""
ready_kept: KeptReadings[dict[str, str | int]] = KeptReadings(KEPT_S)
metrics_kept: KeptReadings[bytes] = KeptReadings(KEPT_S)
FRESH = timedelta(seconds=45)


class NotReadyError(Exception):
    """Something the site needs is missing; the text says what."""


def _check_database() -> None:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        raise _silent(error) from None


def _silent(error: DatabaseError) -> NotReadyError:
    """What a database says of itself names hosts and users: that is for the log."""
    log.error("database away", error=str(error))
    return NotReadyError("does not answer")


def _check_redis() -> None:
    try:
        default_bus().ping()
    except BusDownError:
        raise NotReadyError("does not answer") from None


def _check_leader() -> None:
    try:
        leads = Leadership.objects.filter(expires_at__gt=Now()).exists()
    except DatabaseError as error:
        raise _silent(error) from None
    if not leads:
        raise NotReadyError("no dispatcher leads")


def _check_worker() -> None:
    try:
        fresh = WorkerProcess.objects.filter(
            gone_at=None, slots__gt=0, heartbeat_at__gt=Now() - FRESH
        ).exists()
    except DatabaseError as error:
        raise _silent(error) from None
    if not fresh:
        raise NotReadyError("no worker accepts work")


CHECKS: dict[str, Callable[[], None]] = {
    "database": _check_database,
    "redis": _check_redis,
    "dispatcher": _check_leader,
    "worker": _check_worker,
}


def _styles() -> list[str]:
    """Addresses of the style sheets; none where they were not collected, for words still help."""
    try:
        return [static(name) for name in ("tokens.css", "pexec.css")]
    except ValueError:
        return []


@require_safe
def healthz(request: HttpRequest) -> HttpResponse:  # noqa: ARG001 (a view's signature)
    """The process answers."""
    return JsonResponse({"status": "ok"})


@require_safe
def readyz(request: HttpRequest) -> HttpResponse:  # noqa: ARG001 (a view's signature)
    """Whether runs that are submitted now are worked on; 503 says what is missing."""
    body = ready_kept.read("ready", _readiness)
    return JsonResponse(body, status=200 if body["status"] == "ok" else 503)


def _dispatchers() -> dict[str, int]:
    """How many dispatchers gave a sign of life, by what they do."""
    there = DispatcherProcess.objects.filter(seen_at__gt=Now() - FRESH)
    leads = there.filter(
        pk__in=Leadership.objects.filter(expires_at__gt=Now()).values("holder")
    ).count()
    return {"leader": leads, "standby": there.count() - leads}


def _readiness() -> dict[str, str | int]:
    found: dict[str, str] = {}
    for name, check in CHECKS.items():
        try:
            check()
        except NotReadyError as error:
            found[name] = str(error)
    body: dict[str, str | int] = {name: found.get(name, "ok") for name in CHECKS}
    if "database" not in found:
        body["permits"] = _audited()
    if "dispatcher" not in found:
        body["standbys"] = _dispatchers()["standby"]
    return {"status": "unavailable" if found else "ok", **body}


def _audited() -> str:
    """Whether permits and attempts agree. A drift is an alarm; the site still answers 200."""
    drift = {words: count for words, count in audit.permit_drift().items() if count}
    if not drift:
        return "ok"
    log.error("permits and attempts drifted apart", **drift)
    return "; ".join(f"{count} {words}" for words, count in drift.items())


AWAY = "The database cannot be reached or written to. Nothing was saved; try again in a moment."


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """A page; under REST a problem like all others."""
    if not request.path.startswith("/api/"):
        return defaults.page_not_found(request, exception)
    is_cut = not request.path.endswith("/") and is_valid_path(f"{request.path_info}/")
    detail = f"Not found; it ends with a slash: {request.path}/" if is_cut else "Not found."
    return _problem(404, "Not Found", detail)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """What Django refuses before a view is asked; a host's name is a setting, so that is told."""
    if not request.path.startswith("/api/"):
        return defaults.bad_request(request, exception)
    is_host = isinstance(exception, DisallowedHost)
    detail = "The site does not answer to this Host (ALLOWED_HOSTS)." if is_host else "Bad request."
    return _problem(400, "Bad Request", detail)


def server_error(request: HttpRequest) -> HttpResponse:
    """Say so where the database is away (503, try again); anything else is a bug (500)."""
    error = sys.exc_info()[1]
    if not isinstance(error, (OperationalError, InterfaceError)):
        return defaults.server_error(request)
    log.error("database away", error=str(error), path=request.path)
    if request.path.startswith("/api/"):
        return database_away()
    return HttpResponse(
        render_to_string("503.html", {"away": AWAY, "styles": _styles()}),
        status=503,
        headers={"Retry-After": "5"},
    )


def database_away() -> HttpResponse:
    """The problem as REST tells it."""
    answer = _problem(503, "Service Unavailable", AWAY)
    answer["Retry-After"] = "5"
    return answer


def _problem(status: int, title: str, detail: str) -> HttpResponse:
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return JsonResponse(body, status=status, content_type="application/problem+json")


class _Counts(Collector):
    """What the tables hold at the moment of asking: nothing is counted twice."""

    def __init__(self, *, with_names: bool) -> None:
        """`with_names`: also what names teams, task types and resources."""
        self._with_names = with_names

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Gauges of executions, attempts, waiting tasks, limits, workers."""
        yield _gauge(
            "pexec_executions",
            "Executions by state.",
            ["state"],
            Execution.objects.values_list("state").annotate(n=Count("pk")).order_by(),
        )
        live = Attempt.objects.filter(released_at=None)
        yield _gauge(
            "pexec_attempts_live",
            "Attempts that hold a slot, by state.",
            ["state"],
            live.values_list("state").annotate(n=Count("pk")).order_by(),
        )
        waiting = Demand.objects.filter(execution__state__in=sorted(OPEN_EXECUTION_STATES))
        queued = waiting.aggregate(n=Sum("queued"))["n"] or 0
        yield _gauge("pexec_tasks_queued", "Tasks that wait for a slot.", [], [(queued,)])
        limits = uses.limit_uses().items() if self._with_names else ()
        names = ("used", "maximum", "waiting")
        for n, name in enumerate(names):
            rows = [(key, values[n]) for key, values in limits]
            yield _gauge(f"pexec_limit_{name}", f"Limits: {name}.", ["limit"], rows)
        workers = WorkerProcess.objects.filter(gone_at=None)
        yield _gauge(
            "pexec_permit_drift",
            "Rows in which permits and attempts contradict each other; anything but 0 is an alarm.",
            ["how"],
            audit.permit_drift().items(),
        )
        dispatchers = _dispatchers().items()
        yield _gauge("pexec_dispatchers", "Dispatchers, by role.", ["role"], dispatchers)
        yield _gauge("pexec_workers", "Worker processes.", [], [(workers.count(),)])


def _gauge(name: str, words: str, labels: list[str], rows: object) -> GaugeMetricFamily:
    gauge = GaugeMetricFamily(name, words, labels=labels)
    for *values, number in rows:  # type: ignore[attr-defined] # tuples of labels and a number
        gauge.add_metric([str(value) for value in values], number)
    return gauge


def _registry(*, with_names: bool) -> CollectorRegistry:
    made = CollectorRegistry()
    made.register(_Counts(with_names=with_names))
    return made


ALL, NAMELESS = _registry(with_names=True), _registry(with_names=False)


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus text; names of limits are for those who may see limits, by session or token."""
    try:
        by_token = TokenAuthentication().authenticate(request)
    except AuthenticationFailed as error:
        return HttpResponse(f"{error}\n", status=401, content_type="text/plain")
    user = by_token[0] if by_token else request.user
    registry = ALL if user.has_perm("executions.view_team") else NAMELESS
    text = metrics_kept.read(registry, lambda: generate_latest(registry))
    return HttpResponse(text, content_type=CONTENT_TYPE_LATEST)
