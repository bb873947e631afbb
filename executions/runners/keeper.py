"""Keeps one attempt at a time: starts its command or call, and makes sure that all of it ends.

It is the subreaper of what it starts, and starts one thing at a time: whatever is below it belongs
to that attempt, whichever session, group or environment it took. Standard library only.

The worker says `run`, `call`, `stop` or `alive` (see commands.py); the keeper answers each `run`
and `call` once: `code` as waitpid says it, or `errno`, and `why` where it ended the attempt itself.
When the worker hangs up or is silent for too long, the attempt ends.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import resource
import select
import signal
import socket
import time
from collections.abc import Callable
from typing import Any

from executions.runners import python_call
from executions.runners.processes import (
    ChildWake,
    below,
    die_with_parent,
    signal_below,
    tasks_of_the_system,
)

PACKET_BYTES = 100_000
DEATH_GRACE_S = 2.0
LOOK_EVERY_S = 0.25
COUNT_EVERY_S = 0.1
KILL_EVERY_S = 0.2
LIMIT_HIGHEST = 2**62
LIMITS = {
    "memory_mb": (resource.RLIMIT_AS, 1024 * 1024),
    "cpu_s": (resource.RLIMIT_CPU, 1),
    "file_mb": (resource.RLIMIT_FSIZE, 1024 * 1024),
}
"""Set before a command begins; they hold for each process of it."""
PROCESSES = "processes"
"""A limit of an attempt as a whole: the keeper counts."""
PROCESSES_MOST = 1000
"""Where nothing else was asked for, so that a fork bomb does not take the machine."""
OUR_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD)
PYTHONS_SIGNALS = (signal.SIGPIPE, signal.SIGXFSZ)
"""Ignored by every Python process, and to be so in calls."""

Request = dict[str, Any]


class Keeper:
    """The loop: a request, its end, the next."""

    def __init__(self, line: socket.socket, wake: ChildWake, silence_s: float) -> None:
        self._line = line
        self._silence_s = silence_s
        self._wake = wake
        self._heard_at = time.monotonic()
        self._is_leaving = False

    def serve(self) -> None:
        """Until the worker is gone."""
        self._tell({"pid": os.getpid()})
        while not self._is_leaving:
            request, fds = self._receive()
            if request["do"] in ("run", "call"):
                self._tell(self._keep(request, fds))

    def _receive(self) -> tuple[Request, list[int]]:
        try:
            data, fds, _flags, _address = socket.recv_fds(self._line, PACKET_BYTES + 100, 4)
        except ConnectionError:
            data, fds = b"", []
        self._heard_at = time.monotonic()
        if not data:
            self._is_leaving = True
            return {"do": "stop", "grace_s": DEATH_GRACE_S}, []
        request = json.loads(data)
        if "spill" in request:
            with os.fdopen(fds.pop(), "rb") as spill:
                spill.seek(0)
                request = json.load(spill)
        return request, fds

    def _tell(self, message: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):
            self._line.send(json.dumps(message).encode())

    def _keep(self, request: Request, fds: list[int]) -> dict[str, Any]:
        most = request.get("limits", {}).get(PROCESSES)
        try:
            stdin, output = fds
            _brake(most or PROCESSES_MOST)
            start = _start_call if request["do"] == "call" else _start_command
            pid = start(request, stdin, output)
        except OSError as error:
            return {"errno": error.errno}
        except (TypeError, ValueError):  # a bad request must not end the keeper
            return {"errno": errno.EINVAL}
        finally:
            for fd in fds:
                os.close(fd)
        return Attempt(pid, most).attend(self)

    def wait(self, seconds: float) -> float | None:
        """Wait for news; the grace, if the attempt is to be stopped."""
        poller = select.poll()
        poller.register(self._wake, select.POLLIN)
        if not self._is_leaving:
            poller.register(self._line, select.POLLIN)
        ready = dict(poller.poll(seconds * 1000))
        if self._wake.fileno() in ready:
            self._wake.clear()
        if self._line.fileno() in ready:
            request, _fds = self._receive()
            if request["do"] == "stop":
                return float(request["grace_s"])
        if time.monotonic() - self._heard_at > self._silence_s:
            return DEATH_GRACE_S
        return None


class Attempt:
    """What was started: all that is below this process."""

    def __init__(self, pid: int, most: float | None) -> None:
        self._pid = pid
        self._most = most if most is not None else PROCESSES_MOST
        self._count_every_s = COUNT_EVERY_S if most is not None else LOOK_EVERY_S
        self._count_at = time.monotonic() + self._count_every_s
        self._tasks_at_first = 0 if most is not None else tasks_of_the_system()
        self._status: int | None = None
        self._kill_at: float | None = None
        self._why = ""

    def attend(self, keeper: Keeper) -> dict[str, Any]:
        """Until all of it has ended; what to answer."""
        while self._has_children():
            if self._is_due():
                self._kill()
                keeper.wait(KILL_EVERY_S)
            elif (grace_s := keeper.wait(self._pause_s())) is not None:
                self._stop(grace_s)
        assert self._status is not None
        answer = {"code": os.waitstatus_to_exitcode(self._status)}
        return {**answer, "why": self._why} if self._why else answer

    def _has_children(self) -> bool:
        """Take what has ended; false once nothing is left."""
        try:
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return True
                if pid == self._pid:
                    self._status = status
        except ChildProcessError:
            return False

    def _is_due(self) -> bool:
        """Whether what is left must go: after its grace, with its first process, over its limit."""
        if self._kill_at is not None:
            return time.monotonic() >= self._kill_at
        return self._status is not None or self._is_too_many()

    def _is_too_many(self) -> bool:
        now = time.monotonic()
        if now < self._count_at:
            return False
        self._count_at = now + self._count_every_s
        if tasks_of_the_system() - self._tasks_at_first < self._most / 2:
            return False  # nobody has grown so much
        if len(below(os.getpid())) <= self._most:
            return False
        self._why = f"more than {self._most:g} processes"
        self._kill_at = now
        return True

    def _kill(self) -> None:
        """Its own group at once, for a bomb is faster than a look at every process."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._pid, signal.SIGKILL)
        if self._has_children():
            signal_below(os.getpid(), signal.SIGKILL)

    def _pause_s(self) -> float:
        at = self._count_at if self._kill_at is None else self._kill_at
        return max(at - time.monotonic(), 0.001)

    def _stop(self, grace_s: float) -> None:
        until = time.monotonic() + grace_s
        if self._kill_at is None:
            signal_below(os.getpid(), signal.SIGTERM)
            self._kill_at = until
        self._kill_at = min(self._kill_at, until)


def _brake(most: float) -> None:
    """Let the system refuse what grows faster than the keeper counts (it lets root do as it likes).

    The system counts all that a user runs, so this leaves room for everybody there is.
    """
    hard = resource.getrlimit(resource.RLIMIT_NPROC)[1]
    room = int(min(tasks_of_the_system() + most + PROCESSES_MOST, LIMIT_HIGHEST))
    if hard == resource.RLIM_INFINITY or room < hard:
        resource.setrlimit(resource.RLIMIT_NPROC, (room, hard))


def _start_command(request: Request, stdin: int, output: int) -> int:
    argv, env, limits = request["argv"], request["env"], _limits(request)
    os.chdir(request["cwd"])
    if limits:
        return _forked(request, stdin, output, lambda: _execute(argv, env))
    os.environ["PATH"] = env.get("PATH", os.defpath)  # where the program is looked for
    return os.posix_spawnp(
        argv[0],
        argv,
        env,
        file_actions=[
            (os.POSIX_SPAWN_DUP2, stdin, 0),
            (os.POSIX_SPAWN_DUP2, output, 1),
            (os.POSIX_SPAWN_DUP2, output, 2),
        ],
        setsid=True,
        setsigdef=[*OUR_SIGNALS, *PYTHONS_SIGNALS],
    )


def _start_call(request: Request, stdin: int, output: int) -> int:
    os.chdir(request["cwd"])
    return _forked(request, stdin, output, lambda: _call(request["call"], request["env"]))


def _execute(argv: list[str], env: dict[str, str]) -> None:
    for number in PYTHONS_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    os.execvpe(argv[0], argv, env)  # noqa: S606 (that is what was asked for)


def _call(call: dict[str, Any], env: dict[str, str]) -> None:
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    die_with_parent()
    os._exit(python_call.make(call, env))


def _forked(request: Request, stdin: int, output: int, become: Callable[[], None]) -> int:
    """A child that becomes something else under its limits; raises OSError where it cannot."""
    limits = _limits(request)
    told, tell = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        try:
            _prepare(stdin, output)
            _limit(limits)
            become()
        except BaseException as error:  # noqa: BLE001 (nothing of the keeper may run in the child)
            os.write(tell, b"%d" % (getattr(error, "errno", None) or errno.ENOMEM))
        finally:
            os._exit(1)
    os.close(tell)
    with os.fdopen(told, "rb") as pipe:
        refused = pipe.read()  # ends with exec, or where a call closes it
    if refused:
        os.waitpid(pid, 0)
        raise OSError(int(refused), os.strerror(int(refused)))
    return pid


def _prepare(stdin: int, output: int) -> None:
    os.setsid()
    signal.set_wakeup_fd(-1)
    for number in OUR_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    for ours, theirs in ((stdin, 0), (output, 1), (output, 2)):
        os.dup2(ours, theirs)


def _limits(request: Request) -> list[tuple[int, int]]:
    return [
        (LIMITS[name][0], int(min(value * LIMITS[name][1], LIMIT_HIGHEST)))
        for name, value in request.get("limits", {}).items()
        if name != PROCESSES
    ]


def _limit(limits: list[tuple[int, int]]) -> None:
    for kind, value in limits:
        hard = resource.getrlimit(kind)[1]
        most = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (most, most))
