"""The processes of a site on this machine, under supervision: Redis, web, dispatcher, workers.

A killed process is started again; a stop ends all of them, workers first, and leaves none.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

from django.conf import settings
from django.db.models.functions import Now

from executions.dispatch.bus import BusDownError, default_bus
from executions.management.embedded_redis import redis_command
from executions.models import Leadership, WorkerProcess
from executions.runners.processes import die_with_parent

READY_S = 60.0
STEP_S = 0.1
STOP_S = 60.0
FRESH = timedelta(seconds=20)
LOCAL_RUNNERS = "noop,sleep,shell,http,external"
"""On loopback commands may run; elsewhere that is for the operator to decide."""

CONFIG_HEAD = """\
; made by `manage.py up`; changes are lost
[supervisord]
nodaemon=true
logfile=log/supervisord.log
pidfile=supervisord.pid
childlogdir=log
silent=true
{user}
"""
PROGRAM = """
[program:{name}]
command={command}
directory={directory}
priority={priority}
autorestart=true
startsecs={startsecs}
startretries=20
stopwaitsecs=40
stopsignal=TERM
stdout_logfile=log/{name}.log
redirect_stderr=true
stdout_logfile_maxbytes=10MB
stdout_logfile_backups=2
"""


class PortTakenError(Exception):
    """The port cannot be had."""


class NotReadyError(Exception):
    """The site did not come up in time; its logs in var/log say why."""


@dataclass(slots=True)
class Site:
    """One site. `port` None: without the web process."""

    port: int | None
    workers: int = 1
    slots: int = 16
    host: str = "127.0.0.1"
    _supervisor: subprocess.Popen[bytes] | None = None

    def check_port(self) -> None:
        """Raise PortTakenError where the port cannot be had."""
        if self.port is None:
            return
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((self.host, self.port))
            except OverflowError:
                raise PortTakenError(f"there is no port {self.port}") from None
            except OSError as error:
                said = f"{self.host}:{self.port}: {error.strerror}"
                if error.errno == errno.EADDRINUSE:
                    said += f"; try PORT={self.port + 1}"
                raise PortTakenError(said) from None

    def start(self) -> None:
        """Start everything."""
        (settings.VAR_DIR / "log").mkdir(exist_ok=True)
        config = settings.VAR_DIR / "supervisord.conf"
        config.write_text(self._config())
        self._supervisor = subprocess.Popen(  # noqa: S603 (our own words)
            [sys.executable, "-m", "supervisor.supervisord", "-n", "-c", str(config)],
            cwd=settings.VAR_DIR,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=partial(die_with_parent, signal.SIGTERM),  # noqa: PLW1509 (no threads yet)
        )

    def _config(self) -> str:
        parts = [CONFIG_HEAD.format(user="user=root" if os.geteuid() == 0 else "")]
        for priority, (name, command, startsecs) in enumerate(self._programs(), 1):
            parts.append(
                PROGRAM.format(
                    name=name,
                    command=_literally(shlex.join(command)),
                    directory=_literally(settings.BASE_DIR),
                    priority=priority,
                    startsecs=startsecs,
                )
            )
        return "".join(parts)

    def _programs(self) -> Iterator[tuple[str, list[str], int]]:
        """Name, command, seconds until it counts as started; in the order of starting."""
        if not os.environ.get("REDIS_URL"):
            path = settings.REDIS_URL.removeprefix("unix://")
            yield "redis", redis_command(path, settings.VAR_DIR), 1
        yield "dispatcher", [*_celery("dispatcher"), "--dispatcher", "--no-lanes", "-P", "solo"], 5
        if self.port is not None:
            web = [sys.executable, "-m", "pexec_site.web", "-b", self.host, "-p", str(self.port)]
            web += ["--no-server-name", "--verbosity", "0"]  # requests are logged by Django
            yield "web", [*web, "pexec_site.asgi:application"], 5
        for number in range(1, self.workers + 1):
            name = f"worker{number}"
            yield name, [*_celery(name), "-P", "threads", "-c", str(self.slots)], 5

    def wait_ready(self, within_s: float = READY_S) -> None:
        """Until a dispatcher leads, a worker lives, and the web answers; or NotReadyError."""
        deadline = time.monotonic() + within_s
        while not self._is_ready():
            if self._supervisor is not None and self._supervisor.poll() is not None:
                raise NotReadyError("the supervisor ended")
            if time.monotonic() > deadline:
                silent = "" if _redis_answers() else "; Redis does not answer"
                raise NotReadyError(f"not within {within_s:g} s{silent}")
            time.sleep(STEP_S)

    def _is_ready(self) -> bool:
        return is_working() and self._answers() and _redis_answers()

    def _answers(self) -> bool:
        if self.port is None:
            return True
        with contextlib.suppress(OSError), socket.create_connection((self.host, self.port), 1):
            return True
        return False

    def wait(self) -> int:
        """Until the supervisor ends."""
        if self._supervisor is None:
            return 0
        return self._supervisor.wait()

    def stop(self) -> None:
        """End everything and wait for it."""
        supervisor, self._supervisor = self._supervisor, None
        if supervisor is None:
            return
        if supervisor.poll() is None:
            supervisor.send_signal(signal.SIGTERM)
        supervisor.wait(STOP_S)
        (settings.VAR_DIR / "supervisord.pid").unlink(missing_ok=True)
        if not os.environ.get("REDIS_URL"):
            Path(settings.REDIS_URL.removeprefix("unix://")).unlink(missing_ok=True)


def _literally(text: object) -> str:
    """For supervisor's configuration, which expands what begins with a percent sign."""
    return str(text).replace("%", "%%")


def is_working() -> bool:
    """Whether a dispatcher leads and a worker lives, so that runs are worked on."""
    leads = Leadership.objects.filter(expires_at__gt=Now()).exists()
    return (
        leads
        and WorkerProcess.objects.filter(gone_at=None, heartbeat_at__gt=Now() - FRESH).exists()
    )


def _redis_answers() -> bool:
    with contextlib.suppress(BusDownError):
        default_bus().ping()
        return True
    return False


def _celery(name: str) -> list[str]:
    return [
        *(sys.executable, "-m", "celery", "-A", "pexec_site", "worker", "-n", f"{name}@%h"),
        *("--without-gossip", "--without-mingle", "--without-heartbeat"),
    ]


@contextlib.contextmanager
def embedded(workers: int = 1, slots: int = 16) -> Iterator[None]:
    """A site without web for the time of a `with`."""
    site = Site(port=None, workers=workers, slots=slots)
    site.start()
    try:
        site.wait_ready()
        yield
    finally:
        site.stop()
