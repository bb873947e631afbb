"""A mixture of faults drawn from a seed: one after another, some before the last has healed."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from pathlib import Path

from django.conf import settings
from django.db import connection

from executions import services
from executions.models import Execution, Team
from executions.scheduling.model import FINAL_EXECUTION_STATES
from tests.chaos.load import mixed
from tests.chaos.stage import Stage, after, drill, flush_redis
from tests.chaos.verdict import verdict
from tests.postgres import Cluster

SEEDS_A_SITE = 10
WORKERS = 2


class Mixer:
    """Breaks and heals one site. Each fault is a block: broken at its start, whole at its end."""

    def __init__(self, stage: Stage, seed: int) -> None:
        self.stage, self.site, self.tempo = stage, stage.site, stage.tempo
        self.dice = random.Random(seed)
        self.frozen: set[str] = set()
        self.leaving: set[str] = set()
        self.said: list[str] = []

    def _one(self, kind: str) -> str | None:
        """A process of the kind that runs and is not stopped."""
        found = [
            name
            for name, process in self.site.processes.items()
            if kind in name and name not in self.frozen | self.leaving and process.poll() is None
        ]
        return self.dice.choice(found) if found else None

    def mend(self) -> None:
        """Replace what has ended; have one dispatcher at least, and two workers."""
        for name, process in list(self.site.processes.items()):
            if process.poll() is not None:
                del self.site.processes[name]
        names = list(self.site.processes)
        if "redis" not in names:
            self.site.start_redis()
        if "web" not in names:
            self.site.start_web()
        if not any("dispatcher" in name for name in names):
            self.site.start_dispatcher()
        for _ in range(WORKERS - sum("worker" in name for name in names)):
            self.site.start_worker()

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
        if name := self._one(kind):
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
                self.site.start_dispatcher()
        yield
        if name is not None and name in self.site.processes:
            self.site.send(name, signal.SIGCONT)
            self.frozen.discard(name)

    @contextmanager
    def emptied(self) -> Iterator[None]:
        """Redis forgets all."""
        if self._one("redis"):
            flush_redis()
        yield

    @contextmanager
    def all_killed(self) -> Iterator[None]:
        """Kill -9 of everything."""
        for name in list(self.site.processes):
            self.site.kill(name)
        self.frozen.clear()
        yield
        self.mend()

    @contextmanager
    def closed(self) -> Iterator[None]:
        """A team is closed, and opened again."""
        self.stage.limit(Team.objects.get(name="dev_team"), 0)
        yield
        self.stage.limit(Team.objects.get(name="dev_team"), 10)

    @contextmanager
    def database_away(self) -> Iterator[None]:
        """SQLite is held, PostgreSQL restarted; over before anything else happens."""
        connection.close()
        if connection.vendor == "sqlite":
            with closing(sqlite3.connect(settings.DATABASES["default"]["NAME"], timeout=20)) as db:
                db.execute("BEGIN EXCLUSIVE")
                after(self.dice.uniform(0.2, 15 * self.tempo))
                db.rollback()
        else:
            cluster = Cluster(Path(os.environ["DRILL_POSTGRES"]))
            cluster.stop("immediate")
            after(self.dice.uniform(0.0, 15 * self.tempo))
            cluster.start()
        yield

    def faults(self) -> dict[str, Callable[[], AbstractContextManager[None]]]:
        """All there are, by name."""
        return {
            "worker killed": lambda: self.killed("worker"),
            "worker ended": lambda: self.terminated("worker"),
            "worker stopped": lambda: self.stopped("worker"),
            "dispatcher killed": lambda: self.killed("dispatcher"),
            "dispatcher ended": lambda: self.terminated("dispatcher"),
            "dispatcher stopped": lambda: self.stopped("dispatcher"),
            "Redis killed": lambda: self.killed("redis"),
            "Redis stopped": lambda: self.stopped("redis"),
            "Redis emptied": self.emptied,
            "all killed": self.all_killed,
            "team closed": self.closed,
            "database away": self.database_away,
        }

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


@drill("mix")
def mixture(stage: Stage) -> str:
    """Ten mixtures of faults, each drawn from its seed, on one site."""
    for seed in range(stage.seed, stage.seed + SEEDS_A_SITE):
        mixer = Mixer(stage, seed)
        mixer.mend()
        try:
            execution = _survived(stage, mixer, seed)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}, {mixer.said}: {error}") from error
        if found := verdict(stage):
            raise AssertionError(f"seed {seed}, {mixer.said}: {execution} {found}")
    return f"{SEEDS_A_SITE} seeds"


def _survived(stage: Stage, mixer: Mixer, seed: int) -> Execution:
    execution = stage.submit(mixed(seed, stage.diary, mixer.dice.randint(8, 24), 0.6))
    after(mixer.dice.uniform(0.0, 1.5))
    mixer.mix()
    if mixer.dice.random() < 0.15:
        execution.refresh_from_db()
        if execution.state not in FINAL_EXECUTION_STATES:
            services.execution_cancel(execution=execution, user=None)
    return stage.finish(execution)
