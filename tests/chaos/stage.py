"""What drills share: the site they break, how they are registered, and what they look at."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db.models import QuerySet

from executions import services
from executions.models import (
    Attempt,
    Execution,
    Resource,
    TaskRun,
    TaskType,
    Team,
    WorkerProcess,
)
from executions.models.snapshots import site_limits
from executions.scheduling.model import AttemptState, TaskState
from executions.services import Scope
from tests.chaos.load import finished, mixed, submit
from tests.chaos.pages import Pages
from tests.chaos.site import Site, wait_until

HEAL_S = 60.0
SLACK_S = 20.0
"""What a busy machine may add: the roster starts its window anew where it looked too seldom."""


class UnixHTTP(http.client.HTTPConnection):
    """HTTP over the socket that pages are served on."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=60)
        self._path = path

    def connect(self) -> None:
        """To a path instead of a port."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


@dataclass(slots=True)
class Stage:
    """What a drill works with."""

    site: Site
    tempo: float
    seed: int
    pages: Pages
    limits: list[tuple[float, dict[str, int]]] = field(default_factory=list)
    """From when on (epoch seconds) which limits held."""
    token: str = ""
    """Of the superuser for REST."""
    slack_s: float = 0.05
    """How far clocks of the site may be apart."""

    def __post_init__(self) -> None:
        self.limits.append((float("-inf"), site_limits()))

    @property
    def diary(self):
        return self.site.var / "diary.txt"

    def load(self, tasks: int = 24, seconds: float = 1.0) -> Execution:
        """Submit a mixed run."""
        return self.submit(mixed(self.seed, self.diary, tasks, seconds))

    def submit(self, spec: dict[str, Any]) -> Execution:
        """Submit a run, and open its page."""
        execution = submit(spec)
        self.pages.follow(execution)
        return execution

    def limit(self, limit: Team | TaskType | Resource, value: int) -> None:
        """Change a limit, as pages do."""
        changed_at = time.time()
        services.limit_change(limit=limit, value=value, user=None)
        self.limits.append((changed_at, site_limits()))

    def asked(self, path: str, body: bytes | None = None, kind: str = "application/json"):
        """What the site answers over HTTP to its superuser: (status, text)."""
        user = get_user_model().objects.get(username="drill")
        self.token = self.token or services.token_make(user=user, scope=Scope.CONFIGURE, days=1)[0]
        headers = {
            "Authorization": f"Token {self.token}",
            "Content-Type": kind,
            **self.pages.headers,
        }
        wait_until(self.site.web_socket.exists, 30, "pages are served")
        with closing(UnixHTTP(self.site.web_socket)) as site:
            site.request("GET" if body is None else "POST", path, body, headers)
            answer = site.getresponse()
            return answer.status, answer.read().decode(errors="replace")

    def running(self, execution: Execution, count: int = 3) -> None:
        """Wait until some of it runs."""
        rows = TaskRun.objects.filter(execution=execution, state=TaskState.RUNNING)
        try:
            wait_until(lambda: rows.count() >= count, 30, f"{count} tasks run")
        except AssertionError as error:
            execution.refresh_from_db()
            raise AssertionError(f"{error}; {execution.state} {execution.counts}") from None

    def finish(self, execution: Execution) -> Execution:
        """Wait until it has healed."""
        return finished(execution, HEAL_S + 45 * self.tempo)


Surroundings = Callable[[Path], AbstractContextManager[dict[str, str]]]
BOTH = ("sqlite", "postgresql")


@contextmanager
def nothing_special(_var: Path) -> Iterator[dict[str, str]]:
    """What most drills need around them."""
    yield {}


def nothing_missing() -> str:
    """Most drills run everywhere."""
    return ""


@dataclass(frozen=True, slots=True)
class Drill:
    """One row of the fault table."""

    run: Callable[[Stage], str]
    what: str
    databases: tuple[str, ...]
    missing: Callable[[], str]
    """Why it cannot run on this machine; empty: it can."""
    surroundings: Surroundings
    """Made around the drill's processes; gives variables of their environment."""


DRILLS: dict[str, Drill] = {}


def drill(
    row: str,
    databases: tuple[str, ...] = BOTH,
    missing: Callable[[], str] = nothing_missing,
    surroundings: Surroundings = nothing_special,
) -> Callable[[Callable[[Stage], str]], Callable[[Stage], str]]:
    """Register a drill under its row of the fault table."""

    def register(function: Callable[[Stage], str]) -> Callable[[Stage], str]:
        what = (function.__doc__ or "").strip()
        DRILLS[row] = Drill(function, what, databases, missing, surroundings)
        return function

    return register


def after(seconds: float) -> None:
    """Let the site go on by itself for a while."""
    until = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() > until, seconds + 5, "a while")


def holder_of(execution: Execution) -> str:
    """A worker process that runs something of it."""
    found = Attempt.objects.filter(execution=execution, state=AttemptState.RUNNING).first()
    assert found is not None
    return found.worker


def process_of(site: Site, incarnation: str) -> str:
    """The name under which the site started a worker process."""
    pid = WorkerProcess.objects.get(pk=incarnation).pid
    return next(name for name, process in site.processes.items() if process.pid == pid)


def marked_processes(tokens: set[str]) -> list[int]:
    """Processes that still carry the mark of one of these attempts."""
    found = []
    for environment in Path("/proc").glob("[0-9]*/environ"):
        try:
            environ = environment.read_bytes()
        except OSError:
            continue
        if any(f"PEXEC_TOKEN={token}".encode() in environ for token in tokens):
            found.append(int(environment.parent.name))
    return found


def tokens_at_work(held: QuerySet[Attempt]) -> set[str]:
    """Tokens of these attempts, once the commands of all run: it is told before they do."""
    tokens = set(held.values_list("token", flat=True))
    wait_until(lambda: all(marked_processes({token}) for token in tokens), 10, "commands run")
    return tokens


STOPPED_WITHIN_S = 25.0
"""A worker's time to stop itself, a command's grace to end, and to notice it."""


def ended_before_freed(stage: Stage, tokens: set[str]) -> tuple[float, float]:
    """From now: seconds until a silenced worker's commands are dead, until their permits free."""
    begun = time.monotonic()
    live = Attempt.objects.filter(token__in=tokens, released_at=None)

    def are_dead() -> bool:
        left = len(marked_processes(tokens))
        assert not left or live.count() == len(tokens), (
            f"{left} processes of commands alive when their permits are used again"
        )
        return not left

    limit_s = 60 * stage.tempo + SLACK_S
    wait_until(are_dead, limit_s, "its commands are dead")
    dead_s = time.monotonic() - begun
    assert dead_s <= STOPPED_WITHIN_S * stage.tempo + 8, f"commands dead after {dead_s:.1f} s only"
    wait_until(lambda: not live.exists(), limit_s, "their permits are free")
    return dead_s, time.monotonic() - begun


def is_over(execution: Execution) -> bool:
    """Whether it has ended."""
    return Execution.objects.filter(pk=execution.pk, completed_at__isnull=False).exists()


def long_running(stage: Stage, seconds: float, tasks: int = 4) -> dict[str, Any]:
    """Tasks that take long."""
    spec = mixed(stage.seed, stage.diary, tasks, 0.1)
    for row in spec["tasks"]:
        row |= {"payload": {"command": f"sleep {seconds:.1f}"}, "depends_on": []}
        row.pop("required_resources", None)
        row["task_type"] = "light_tasks"
        row["team"] = "dev_team"
    return spec


def flush_redis() -> None:
    """Empty Redis."""
    redis.Redis(unix_socket_path=settings.REDIS_URL.removeprefix("unix://")).flushall()
