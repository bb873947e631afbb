"""The worker's side of the supervisor: start a command or a call, hear of its end, stop it.

Each lane talks to a keeper of its own over a line; keepers are used again, and forked when needed.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from executions.runners.keeper import PACKET_BYTES
from executions.runners.processes import kill_marked

ROOT = Path(__file__).resolve().parents[2]
STOP_S = 10.0
PASSED_ON = (
    *("PATH", "LANG", "LC_ALL", "TZ", "HOME", "USER", "TMPDIR", "LD_LIBRARY_PATH"),
    *("PYTHONPATH", "PEXEC_VAR"),
)
"""The supervisor, and so every call, sees no secret of the worker's environment."""


class SupervisorGoneError(Exception):
    """Nothing can be started: the worker ends, or no supervisor can be had. Try again later."""


class NotStartedError(Exception):
    """The system refused to start a command; `errno` says why."""

    def __init__(self, number: int) -> None:
        super().__init__(os.strerror(number))
        self.errno = number


@dataclass(slots=True)
class Line:
    """To one keeper, forked by the supervisor at `control`."""

    wire: socket.socket
    control: socket.socket
    pid: int | None = None

    def say(self, request: Mapping[str, object], fds: Sequence[int] = (), flags: int = 0) -> None:
        """Send a request; raises OSError."""
        data = json.dumps(request).encode()
        if len(data) <= PACKET_BYTES:
            socket.send_fds(self.wire, [data], list(fds), flags)
            return
        with os.fdopen(os.memfd_create("request"), "wb") as spill:
            spill.write(data)
            spill.flush()
            socket.send_fds(self.wire, [b'{"spill":1}'], [*fds, spill.fileno()], flags)


class Command:
    """What was started, until `is_over`."""

    def __init__(self, commands: Commands, line: Line, mark: str) -> None:
        self._commands = commands
        self._line = line
        self._mark = mark.encode()
        self._exit_code: int | None = None
        self._errno: int | None = None
        self.is_over = False
        self.why = ""
        """Why the keeper ended it, where it did so by itself."""

    def fileno(self) -> int:
        """Ready to read when `hear` has something to hear."""
        return self._line.wire.fileno()

    def stop(self, grace_s: float) -> None:
        """Ask for its end: TERM now, KILL of all of it after the grace."""
        if self.is_over:  # its keeper may have another one by now
            return
        with contextlib.suppress(OSError):
            self._line.say({"do": "stop", "grace_s": grace_s}, flags=socket.MSG_DONTWAIT)

    def abandon(self) -> None:
        """Kill its keeper, which does not answer; the supervisor ends what was below."""
        if self._line.pid is not None and not self.is_over:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._line.pid, signal.SIGKILL)

    def hear(self) -> None:
        """Take what its keeper says."""
        try:
            data = self._line.wire.recv(PACKET_BYTES)
        except OSError:
            data = b""
        message = json.loads(data) if data else {}
        if "pid" in message:
            self._line.pid = message["pid"]
            return
        self._exit_code = message.get("code")
        self._errno = message.get("errno")
        self.why = message.get("why", "")
        self.is_over = True
        if not message:
            kill_marked(self._mark)
        self._commands.give_back(self._line, is_usable=bool(message))

    def result(self) -> int | None:
        """As waitpid says it, once it is over: negative is the number of the signal that ended it.

        None where its keeper died, and it with it. Raises NotStartedError.
        """
        if self._errno is not None:
            raise NotStartedError(self._errno)
        return self._exit_code


class Commands:
    """Starts commands through keepers, and a new supervisor where that is gone."""

    def __init__(self, silence_s: float) -> None:
        self._silence_s = silence_s
        self._lock = threading.Lock()
        self._idle: list[Line] = []
        self._busy: list[Line] = []
        self._control: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._is_closing = False

    def start(self) -> None:
        """Start the supervisor."""
        with self._lock:
            self._start()

    def _start(self) -> None:
        self._bury()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 (our own module)
                [
                    sys.executable,
                    *("-m", "executions.runners.supervisor"),
                    *(str(theirs.fileno()), str(self._silence_s)),
                ],
                cwd=ROOT,
                env={name: os.environ[name] for name in PASSED_ON if name in os.environ},
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        self._control = ours

    def _bury(self) -> None:
        """Take leave of a supervisor that is dead, and of its keepers."""
        for line in self._idle:
            line.wire.close()
        self._idle.clear()
        if self._control is not None:
            self._control.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        """End every command and the supervisor."""
        with self._lock:
            self._is_closing = True
            idle, self._idle = self._idle, []
            for line in [*idle, *self._busy]:
                with contextlib.suppress(OSError):
                    line.wire.shutdown(socket.SHUT_WR)
            for line in idle:
                line.wire.close()
            if self._control is not None:
                self._control.close()
        if self._process is not None:
            try:
                self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def keep_alive(self) -> None:
        """Tell the keepers that this process is not stopped."""
        with self._lock:
            for line in self._busy:
                with contextlib.suppress(OSError):
                    line.say({"do": "alive"}, flags=socket.MSG_DONTWAIT)

    def run(
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
        request = {"do": "run", "argv": list(argv), "env": dict(env), "limits": dict(limits)}
        return self._begin({**request, "cwd": str(cwd)}, (stdin, output), mark)

    def call(
        self,
        call: Mapping[str, object],
        *,
        env: Mapping[str, str],
        cwd: Path,
        stdin: int,
        output: int,
        mark: str,
        limits: Mapping[str, float],
    ) -> Command:
        """Start a call of the python runner."""
        request = {"do": "call", "call": dict(call), "env": dict(env), "limits": dict(limits)}
        return self._begin({**request, "cwd": str(cwd)}, (stdin, output), mark)

    def _begin(self, request: Mapping[str, object], fds: Sequence[int], mark: str) -> Command:
        while True:
            line, is_new = self._take()
            try:
                line.say(request, fds)
            except OSError:
                self.give_back(line, is_usable=False)
                if is_new:
                    raise SupervisorGoneError from None
                continue  # that keeper died while it was idle
            return Command(self, line, mark)

    def _take(self) -> tuple[Line, bool]:
        """A line to a keeper that is free, and whether it was made for this."""
        with self._lock:
            if self._is_closing:
                raise SupervisorGoneError
            if self._process is None or self._process.poll() is not None:
                self._start()
            is_new = not self._idle
            line = self._new_line() if is_new else self._idle.pop()
            self._busy.append(line)
            return line, is_new

    def _new_line(self) -> Line:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            assert self._control is not None
            with contextlib.suppress(OSError):  # a supervisor that just died: heard at the line
                socket.send_fds(self._control, [b"keeper"], [theirs.fileno()])
        return Line(ours, self._control)

    def give_back(self, line: Line, *, is_usable: bool) -> None:
        """Its attempt is over: the keeper may serve another."""
        with self._lock:
            self._busy.remove(line)
            if is_usable and not self._is_closing and line.control is self._control:
                self._idle.append(line)
            else:
                line.wire.close()
