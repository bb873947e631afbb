"""The worker's side of the supervisor: start a command, watch it, stop it.

One supervisor process serves all lanes of a worker; a thread hands each end to who waits for it.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from executions.runners.supervisor import PACKET_BYTES, has_mark, signal_all

ROOT = Path(__file__).resolve().parents[2]
STOP_S = 10.0


class SupervisorGoneError(Exception):
    """The supervisor died; its commands are being ended. The attempt may be tried again."""


class NotStartedError(Exception):
    """The system refused to start a command; `errno` says why."""

    def __init__(self, number: int) -> None:
        super().__init__(os.strerror(number))
        self.errno = number


class Command:
    """A command that was asked for."""

    def __init__(self, commands: Commands, number: int, mark: str) -> None:
        self._commands = commands
        self._number = number
        self.mark = mark
        self.over = threading.Event()
        self.exit_code: int | None = None
        """As waitpid says it: negative is the number of the signal that ended it."""
        self.errno: int | None = None

    def stop(self, grace_s: float) -> None:
        """Ask for its end: TERM now, KILL of all of it after the grace."""
        self._commands.say({"do": "stop", "id": self._number, "grace_s": grace_s})

    def result(self) -> int:
        """Its exit code, once `over` is set. Raises NotStartedError or SupervisorGoneError."""
        if self.errno is not None:
            raise NotStartedError(self.errno)
        if self.exit_code is None:
            raise SupervisorGoneError
        return self.exit_code


class Commands:
    """Starts commands through a supervisor, and a new supervisor where that is gone."""

    def __init__(self, silence_s: float) -> None:
        self._silence_s = silence_s
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._waiting: dict[int, Command] = {}
        self._control: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._closing = False

    def start(self) -> None:
        """Start the supervisor."""
        with self._lock:
            self._start()

    def _start(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 (our own module)
                [
                    sys.executable,
                    *("-m", "executions.runners.supervisor"),
                    *(str(theirs.fileno()), str(self._silence_s)),
                ],
                cwd=ROOT,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        self._control = ours
        threading.Thread(
            target=self._listen, args=(ours, self._process), name="commands", daemon=True
        ).start()

    def stop(self) -> None:
        """End every command and the supervisor."""
        with self._lock:
            self._closing = True
            control, process = self._control, self._process
            self._control = None
        if control is not None:
            with contextlib.suppress(OSError):
                control.shutdown(socket.SHUT_WR)
        if process is not None:
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def keep_alive(self) -> None:
        """Tell the supervisor that this process is not stopped."""
        self.say({"do": "alive"})

    def spawn(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path,
        stdin: int,
        output: int,
        mark: str,
        limits: Mapping[str, float],
    ) -> Command:
        """Start a command; `stdin` and `output` are descriptors, `mark` is in its environment."""
        number = next(self._numbers)
        command = Command(self, number, mark)
        request = {
            "do": "spawn",
            "id": number,
            "argv": list(argv),
            "env": dict(env),
            "cwd": str(cwd),
            "mark": mark,
            "limits": dict(limits),
        }
        with self._lock:
            if self._closing:
                raise SupervisorGoneError
            if self._control is None:
                self._start()
            self._waiting[number] = command
        if not self.say(request, (stdin, output)):
            self._waiting.pop(number, None)
            raise SupervisorGoneError
        return command

    def say(self, request: Mapping[str, object], fds: Sequence[int] = ()) -> bool:
        """Send a request; whether the supervisor could be reached."""
        control = self._control
        if control is None:
            return False
        data = json.dumps(request).encode()
        try:
            if len(data) <= PACKET_BYTES:
                socket.send_fds(control, [data], list(fds))
            else:
                spill = os.memfd_create("request")
                with os.fdopen(spill, "wb") as file:
                    file.write(data)
                    file.flush()
                    socket.send_fds(control, [b'{"spill":1}'], [*fds, spill])
        except OSError:
            return False
        return True

    def _listen(self, control: socket.socket, process: subprocess.Popen[bytes]) -> None:
        with control:
            while True:
                try:
                    data = control.recv(PACKET_BYTES)
                except OSError:
                    data = b""
                if not data:
                    break
                message = json.loads(data)
                command = self._waiting.pop(message["id"], None)
                if command is not None:
                    command.exit_code = message.get("code")
                    command.errno = message.get("errno")
                    command.over.set()
        process.wait()
        with self._lock:
            if self._control is control:
                self._control = None
            orphaned = list(self._waiting.values())
            self._waiting.clear()
        end_marked({command.mark.encode() for command in orphaned})
        for command in orphaned:
            command.over.set()


def end_marked(marks: set[bytes]) -> None:
    """Kill every process that carries one of these marks: nobody else is left to do it."""
    for entry in os.scandir("/proc") if marks else ():
        if entry.name.isdigit() and any(has_mark(int(entry.name), mark) for mark in marks):
            signal_all([int(entry.name)], signal.SIGKILL)
