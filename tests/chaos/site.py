"""A whole site of real processes that a drill may break: Redis, dispatchers, workers.

The drill itself runs in this process, on the same database and Redis, as pages and REST would.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from django.conf import settings
from django.db import connection

from executions.management.embedded_redis import redis_command
from pexec_site.sqlite import LIBRARY as SQLITE

ROOT = Path(__file__).resolve().parents[2]
STEP_S = 0.05
SLOTS = 4
"""Of each worker."""


class DrillTimeoutError(AssertionError):
    """What was waited for did not come in time."""


def wait_until(condition: Callable[[], object], within_s: float, what: str) -> object:
    """Poll until `condition` gives something true; its value. Bounded, never blind."""
    deadline = time.monotonic() + within_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise DrillTimeoutError(f"not within {within_s:g} s: {what}")
        time.sleep(STEP_S)


Seen = TypeVar("Seen", bound=Hashable)


def lasting(look: Callable[[], Iterable[Seen]], within_s: float) -> set[Seen]:
    """Those that are there each time we look until `within_s` is over."""
    found = set(look())

    def are_gone() -> bool:
        found.intersection_update(look())
        return not found

    if found:
        with suppress(DrillTimeoutError):
            wait_until(are_gone, within_s, "they are gone")
    return found


@dataclass(slots=True)
class Site:
    """Processes by name. `env` is added to each one's environment, `within` before its command."""

    var: Path
    code: Path = ROOT
    """Whose code is started: this tree's, with faults built in, or an older one's."""
    env: dict[str, str] = field(default_factory=dict)
    within: dict[str, list[str]] = field(default_factory=dict)
    redis_options: tuple[str, ...] = ()
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _made: int = 0

    # ------------------------------------------------------------ starting

    def start_redis(self) -> None:
        """Start Redis on the socket that the settings name."""
        socket = settings.REDIS_URL.removeprefix("unix://")
        Path(socket).unlink(missing_ok=True)
        command = [*redis_command(socket, self.var), "--appendonly", "no", *self.redis_options]
        self._spawn("redis", command)
        wait_until(Path(socket).exists, 10, "Redis listens")

    def start_dispatcher(self, name: str = "", **env: str) -> str:
        """Start one more dispatcher; its name."""
        name = name or self.new_name("dispatcher")
        self._celery(name, ["--dispatcher", "--no-lanes", "-P", "solo"], env)
        return name

    def start_worker(self, name: str = "", **env: str) -> str:
        """Start one more worker process; its name."""
        name = name or self.new_name("worker")
        self._celery(name, ["-P", "threads", "-c", str(SLOTS)], env)
        return name

    @property
    def web_socket(self) -> Path:
        """Where pages are served."""
        return self.var / "web.sock"

    def start_web(self) -> None:
        """Start what serves pages, REST and sockets."""
        for path in self.var.glob("web.sock*"):  # and its lock, which a killed one leaves
            path.unlink()
        server = "pexec_site.web" if self.code == ROOT else "daphne"
        web = [sys.executable, "-m", server, "-u", str(self.web_socket), "--verbosity", "0"]
        self._spawn("web", [*web, "pexec_site.asgi:application"])

    def start_all(self, *, workers: int = 2, dispatchers: int = 1) -> None:
        """Start a whole site."""
        self.start_redis()
        self.start_web()
        for _ in range(dispatchers):
            self.start_dispatcher()
        for _ in range(workers):
            self.start_worker()

    def new_name(self, kind: str) -> str:
        """Nobody else's."""
        self._made += 1
        return f"{kind}{self._made}"

    def _celery(self, name: str, options: list[str], env: dict[str, str]) -> None:
        self._spawn(
            name,
            [
                *(
                    sys.executable,
                    "-m",
                    "celery",
                    "-A",
                    "tests.chaos.app" if self.code == ROOT else "pexec_site.celery",
                    "worker",
                    "-n",
                    f"{name}@x",
                ),
                *("--without-gossip", "--without-mingle", "--without-heartbeat", "-l", "info"),
                *options,
            ],
            env,
        )

    def _spawn(self, name: str, command: list[str], env: dict[str, str] | None = None) -> None:
        with (self.var / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [*self.within.get(name, ()), *command],
                cwd=self.code,
                env={**os.environ, "PGAPPNAME": name, **self.env, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    # ------------------------------------------------------------ breaking

    def kill(self, name: str) -> None:
        """Kill -9, and reap."""
        process = self.processes.pop(name)
        process.kill()
        process.wait(10)

    def send(self, name: str, number: signal.Signals) -> None:
        """Send a signal to one process."""
        self.processes[name].send_signal(number)

    def freeze(self, name: str) -> None:
        """SIGSTOP between two transactions.

        Inside one, a stopped process keeps its locks and everyone waits for them: SQLite's nobody
        can take away, PostgreSQL's end with the session, by its timeouts.
        """

        def frozen() -> bool:
            self.send(name, signal.SIGSTOP)
            pid = self.processes[name].pid
            wait_until(lambda: is_stopped(pid), 5, f"every thread of {name} stands")
            if not is_in_transaction(name):
                return True
            self.send(name, signal.SIGCONT)
            return False

        wait_until(frozen, 10, f"{name} is stopped outside a transaction")

    def terminate(self, name: str, within_s: float = 40) -> None:
        """TERM, and wait for its end."""
        process = self.processes.pop(name)
        process.terminate()
        process.wait(within_s)

    def stop_all(self, kind: str) -> None:
        """TERM every process of a kind."""
        for name in [name for name in self.processes if kind in name]:
            self.terminate(name)

    def stop(self) -> None:
        """End everything, workers first, whatever state it is in."""
        names = sorted(self.processes, key=lambda name: ("redis" in name, "dispatcher" in name))
        for name in names:
            self.processes[name].send_signal(signal.SIGCONT)
        for name in names:
            if "redis" not in name:
                self.processes[name].terminate()
        for name in names:
            process = self.processes.pop(name)
            if "redis" in name:
                process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)


def is_stopped(pid: int) -> bool:
    """Whether all its threads stand: one in a system call goes on to its end."""
    states = (path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/stat"))
    return all(state.rpartition(")")[2].split()[0] == "T" for state in states)


HELD_S = 1.0
"""Who keeps a transaction open for so long stands in it; a running process needs milliseconds."""


def is_in_transaction(name: str) -> bool:
    """Whether a stopped process of the site stands in one (on SQLite: it or anybody else)."""
    if connection.vendor == "postgresql":
        return bool(lasting(lambda: _transactions_of(name), HELD_S))
    try:
        with sqlite_held(HELD_S):
            return False
    except SQLITE.OperationalError:
        return True


@contextmanager
def sqlite_held(within_s: float) -> Iterator[None]:
    """SQLite is locked by this process until the end of the block; by others before for so long."""
    name = settings.DATABASES["default"]["NAME"]
    with closing(SQLITE.connect(name, timeout=within_s)) as found:
        found.execute("BEGIN EXCLUSIVE")
        yield
        found.rollback()


def _transactions_of(name: str) -> list[tuple[int, object]]:
    """(session, since when) of what a process of the site has open on PostgreSQL."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pid, xact_start FROM pg_stat_activity"
            " WHERE application_name = %s AND xact_start IS NOT NULL",
            [name],
        )
        return list(cursor.fetchall())


@contextmanager
def running(site: Site) -> Iterator[Site]:
    """A site at work."""
    site.start_all()
    try:
        yield site
    finally:
        site.stop()
