"""What the mixture does to a site: each fault is a block, broken at first, whole at its end."""

from __future__ import annotations

import random
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress

from django.db import connection

from executions import services
from executions.models import Execution, TaskType, Team
from executions.services import NotAllowedNowError
from tests.chaos import network
from tests.chaos.app import CRASH_POINTS
from tests.chaos.database_drills import HOLD_WITHIN_S, terminate_sessions
from tests.chaos.load import mixed
from tests.chaos.site import sqlite_held
from tests.chaos.spread import PLACES, cluster, cuts, start
from tests.chaos.stage import Stage, after, flush_redis

WORKERS = 2
HOUR_OFF = ("3600", "-3600")
GONE = "declared gone"
"""What a worker says in its log before it ends itself, as it should."""


def cancel_if_open(execution: Execution) -> None:
    """Cancel it, if it is not over."""
    with suppress(NotAllowedNowError):
        services.execution_cancel(execution=execution, user=None)


def _why(log: str) -> str:
    """The first thing that went wrong in it, else its end."""
    found = log.find("Traceback")
    return log[-1000:] if found < 0 else log[max(found - 500, 0) : found + 3000]


Block = Callable[[], AbstractContextManager[None]]


class Mixer:
    """Breaks and heals one site by dice of its own."""

    def __init__(self, stage: Stage, seed: int) -> None:
        self.stage, self.site, self.tempo = stage, stage.site, stage.tempo
        self.dice = random.Random(seed)
        self.mend()
        self.run = stage.submit(mixed(seed, stage.diary, self.dice.randint(8, 24), 0.6))
        self.frozen: set[str] = set()
        self.leaving: set[str] = set()
        self.said: list[str] = []
        self.others: list[Execution] = []
        """Runs beside the one that is watched."""

    # ------------------------------------------------------------ the site

    def _one(self, kind: str) -> str | None:
        """A process of the kind that runs and is not stopped."""
        found = [
            name
            for name, process in self.site.processes.items()
            if kind in name and name not in self.frozen | self.leaving and process.poll() is None
        ]
        return self.dice.choice(found) if found else None

    def _start(self, kind: str, **env: str) -> str:
        """Start a worker or a dispatcher; on one of the hosts where there are some."""
        if network.is_made():
            return start(self.site, kind, self.dice.choice(PLACES), **env)
        begin = self.site.start_worker if kind == "worker" else self.site.start_dispatcher
        return begin(**env)

    def mend(self) -> None:
        """Replace what has ended; have one dispatcher at least, and two workers."""
        for name, process in list(self.site.processes.items()):
            if process.poll() is not None:
                self._bury(name)
        names = [*self.site.processes]
        if "redis" not in names:
            self.site.start_redis()
        if "web" not in names:
            self.site.start_web()
        if not any("dispatcher" in name for name in names):
            self._start("dispatcher")
        for _ in range(WORKERS - sum("worker" in name for name in names)):
            self._start("worker")

    def _bury(self, name: str) -> None:
        """Take what has ended from the list; nothing may end that nobody ended."""
        code = self.site.processes.pop(name).returncode
        log = (self.site.var / f"{name}.log").read_text(errors="replace")
        is_told = name in self.leaving or code == -signal.SIGKILL
        assert is_told or GONE in log, f"{name} ended by itself with {code}: {_why(log)}"

    # ------------------------------------------------------------ processes

    @contextmanager
    def killed(self, kind: str) -> Iterator[None]:
        """Kill -9 one, and start another later."""
        if name := self._one(kind):
            self.site.kill(name)
        yield
        self.mend()

    @contextmanager
    def terminated(self, kind: str) -> Iterator[None]:
        """TERM one; another is there later."""
        name = self._one(kind)
        if name is not None:
            self.site.send(name, signal.SIGTERM)
            self.leaving.add(name)
        yield
        if name in self.site.processes:  # until it has ended nobody is missing
            self.site.terminate(name, within_s=60)
        self.mend()

    @contextmanager
    def stopped(self, kind: str) -> Iterator[None]:
        """SIGSTOP one; a leader is replaced meanwhile."""
        name = self._one(kind)
        if name is not None:
            if kind == "redis":
                self.site.send(name, signal.SIGSTOP)
            else:
                self.site.freeze(name)
            self.frozen.add(name)
            if kind == "dispatcher":
                self._start("dispatcher")
        yield
        if name is not None and name in self.site.processes:
            self.site.send(name, signal.SIGCONT)
            self.frozen.discard(name)

    @contextmanager
    def odd(self, kind: str, **env: str) -> Iterator[None]:
        """In the place of one there is another with a fault built in (see `app`), for a while."""
        if name := self._one(kind):
            self.site.kill(name)
        odd = self._start(kind, **env)
        yield
        if odd in self.site.processes and self.dice.random() < 0.5:  # else it stays so
            self.site.kill(odd)
        self.mend()

    @contextmanager
    def deaf(self) -> Iterator[None]:
        """In the place of a worker there is one that comes to reach nobody, then again all."""
        sign = self.site.var / f"cut{self.dice.getrandbits(32)}"
        with self.odd("worker", DRILL_CUT=str(sign)):
            after(self.dice.uniform(1.0, 6.0))
            sign.touch()
            yield
            sign.unlink()

    @contextmanager
    def all_killed(self) -> Iterator[None]:
        """Kill -9 of everything."""
        for name in list(self.site.processes):
            self.site.kill(name)
        self.frozen.clear()
        yield
        self.mend()

    # ------------------------------------------------------------ what they share

    @contextmanager
    def emptied(self) -> Iterator[None]:
        """Redis forgets all."""
        if self._one("redis"):
            flush_redis()
        yield

    @contextmanager
    def host_cut(self) -> Iterator[None]:
        """A host with all that runs there loses Redis, the database, or both."""
        with network.cut(self.dice.choice(PLACES), *self.dice.choice(cuts())):
            yield

    @contextmanager
    def database_away(self) -> Iterator[None]:
        """SQLite is held, PostgreSQL restarted; over before anything else happens."""
        connection.close()
        if connection.vendor == "sqlite":
            with sqlite_held(HOLD_WITHIN_S):
                after(self.dice.uniform(0.2, 15 * self.tempo))
        else:
            server = cluster()
            server.stop("immediate")
            after(self.dice.uniform(0.0, 15 * self.tempo))
            server.start()
        yield

    @contextmanager
    def sessions_terminated(self) -> Iterator[None]:
        """PostgreSQL ends every session but the drill's, a few times."""
        for _ in range(self.dice.randint(1, 5)):
            terminate_sessions()
            after(self.dice.uniform(0.1, 1.0))
        yield

    # ------------------------------------------------------------ what people do

    @contextmanager
    def limits_moved(self) -> Iterator[None]:
        """Some limits go down, to nothing too, and up again."""
        limits = [*Team.objects.order_by("pk"), *TaskType.objects.order_by("pk")]
        moved = self.dice.sample(limits, self.dice.randint(1, 3))
        before = [limit.max_parallel for limit in moved]
        for limit in moved:
            self.stage.limit(limit, self.dice.randint(0, 2))
        yield
        for limit, value in zip(moved, before, strict=True):
            self.stage.limit(limit, value)

    @contextmanager
    def other_cancelled(self) -> Iterator[None]:
        """Another run comes in, and is cancelled twice in the middle of it."""
        seed = self.dice.getrandbits(32)
        other = self.stage.submit(mixed(seed, self.stage.diary, self.dice.randint(4, 16), 0.6))
        self.others.append(other)
        yield
        for _ in range(2):
            cancel_if_open(other)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """The run is paused, and goes on."""
        with suppress(NotAllowedNowError):
            services.execution_pause(execution=self.run, user=None)
        yield
        with suppress(NotAllowedNowError):
            services.execution_resume(execution=self.run, user=None)

    # ------------------------------------------------------------ all of it

    def faults(self) -> dict[str, Block]:
        """All that can be done here, by name."""
        dice = self.dice
        found: dict[str, Block] = {
            "worker killed": lambda: self.killed("worker"),
            "worker ended": lambda: self.terminated("worker"),
            "worker stopped": lambda: self.stopped("worker"),
            "worker cut off": self.deaf,
            "worker's messages thrice": lambda: self.odd("worker", DRILL_NOISE=self._noise()),
            "worker's clock off": lambda: self.odd("worker", DRILL_CLOCK=dice.choice(HOUR_OFF)),
            "worker dies at a point": lambda: self.odd("worker", DRILL_CRASH=self._point("worker")),
            "dispatcher killed": lambda: self.killed("dispatcher"),
            "dispatcher ended": lambda: self.terminated("dispatcher"),
            "dispatcher stopped": lambda: self.stopped("dispatcher"),
            "dispatcher's messages thrice": lambda: self.odd(
                "dispatcher", DRILL_NOISE=self._noise()
            ),
            "dispatcher dies at a point": lambda: self.odd(
                "dispatcher", DRILL_CRASH=self._point("dispatcher")
            ),
            "Redis killed": lambda: self.killed("redis"),
            "Redis stopped": lambda: self.stopped("redis"),
            "Redis emptied": self.emptied,
            "pages killed": lambda: self.killed("web"),
            "all killed": self.all_killed,
            "database away": self.database_away,
            "limits moved": self.limits_moved,
            "another run cancelled": self.other_cancelled,
            "paused": self.paused,
        }
        if network.is_made():
            found["host cut off"] = self.host_cut
        if connection.vendor == "postgresql":
            found["sessions terminated"] = self.sessions_terminated
        return found

    def _noise(self) -> str:
        return str(self.dice.getrandbits(16))

    def _point(self, kind: str) -> str:
        points = [point for point in CRASH_POINTS if point.startswith(kind)]
        return f"{self.dice.choice(points)}:{self.dice.randint(1, 4)}"

    def mix(self) -> None:
        """Two to four faults; each is healed after a while, or only after the next has come."""
        faults = self.faults()
        names = self.dice.sample(sorted(faults), self.dice.randint(2, 4))
        with ExitStack() as broken:
            for name in names:
                if name == "database away" or self.dice.random() < 0.6:
                    broken.close()
                self.said.append(name)
                broken.enter_context(faults[name]())
                after(self.dice.uniform(0.1, 25 * self.tempo))
        for name in [name for name in self.site.processes if "dispatcher" in name][1:]:
            self.site.terminate(name)
        self.mend()
