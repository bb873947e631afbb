"""Starts commands and makes sure that all of each ends: one process beside each worker process.

It is the subreaper of everything it starts, so a descendant that leaves its session or loses its
parent still comes back to it. When the worker dies, or is silent for too long, every command ends.
Standard library only; talks to the worker (see commands.py) over one socket.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import resource
import selectors
import signal
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PACKET_BYTES = 100_000
DEATH_GRACE_S = 2.0
SWEEP_EVERY_S = 0.1
LIMIT_HIGHEST = 2**62
PR_SET_CHILD_SUBREAPER = 36
LIMITS = {
    "memory_mb": (resource.RLIMIT_AS, 1024 * 1024),
    "cpu_s": (resource.RLIMIT_CPU, 1),
    "processes": (resource.RLIMIT_NPROC, 1),
    "file_mb": (resource.RLIMIT_FSIZE, 1024 * 1024),
}


@dataclass(slots=True)
class Child:
    """A command that was started and has not ended."""

    id: int
    pid: int
    mark: bytes
    kill_at: float | None = None


def stat_of(pid: int) -> tuple[int, str] | None:
    """Parent and state letter of a process; None if it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    state, parent = text[text.rindex(")") + 2 :].split(maxsplit=2)[:2]
    return int(parent), state


def children_by_parent() -> dict[int, list[int]]:
    """The process tree as it is now, without zombies."""
    tree: dict[int, list[int]] = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit() and (found := stat_of(int(entry.name))) and found[1] != "Z":
            tree.setdefault(found[0], []).append(int(entry.name))
    return tree


def descendants(tree: dict[int, list[int]], pid: int) -> list[int]:
    """All below a process."""
    found: list[int] = []
    waiting = [pid]
    while waiting:
        below = tree.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def has_mark(pid: int, mark: bytes) -> bool:
    """Whether a process carries the mark of an attempt in its environment."""
    try:
        return mark in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False


def signal_all(pids: list[int], number: int) -> None:
    """Send a signal to processes, some of which may be gone."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


class Supervisor:
    """The loop: requests, ends of children, deadlines."""

    def __init__(self, control: socket.socket, silence_s: float) -> None:
        self._control = control
        self._silence_s = silence_s
        self._heard_at = time.monotonic()
        self._children: dict[int, Child] = {}
        self._by_id: dict[int, Child] = {}
        self._leaving = False
        self._selector = selectors.DefaultSelector()
        self._selector.register(control, selectors.EVENT_READ)
        wake_r, wake_w = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._wake_r = wake_r
        self._selector.register(wake_r, selectors.EVENT_READ)
        signal.set_wakeup_fd(wake_w, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def serve(self) -> None:
        """Until the worker is gone and nothing is left."""
        while not self._leaving or self._children:
            ready = self._selector.select(self._pause_s())
            for key, _ in ready:
                if key.fd == self._wake_r:
                    with contextlib.suppress(BlockingIOError):
                        os.read(self._wake_r, 4096)
                else:
                    self._hear()
            self._reap()
            self._watch()
        self._sweep_orphans(everything=True)

    def _pause_s(self) -> float:
        return SWEEP_EVERY_S if self._leaving or self._is_stopping() else 1.0

    def _is_stopping(self) -> bool:
        return any(child.kill_at is not None for child in self._children.values())

    # ------------------------------------------------------------ requests

    def _hear(self) -> None:
        try:
            data, fds, _flags, _address = socket.recv_fds(self._control, PACKET_BYTES + 100, 4)
        except ConnectionError:
            data, fds = b"", []
        if not data:
            self._selector.unregister(self._control)
            self._leave()
            return
        now = time.monotonic()
        self._heard_at = now
        request = json.loads(data)
        if "spill" in request:
            with os.fdopen(fds.pop(), "rb") as spill:
                spill.seek(0)
                request = json.load(spill)
        if request["do"] == "spawn":
            self._spawn(request, fds)
        elif request["do"] == "stop" and (child := self._by_id.get(request["id"])):
            self._stop(child, request["grace_s"])

    def _spawn(self, request: dict[str, Any], fds: list[int]) -> None:
        try:
            stdin, output = fds
            limits = [(LIMITS[n][0], v * LIMITS[n][1]) for n, v in request["limits"].items()]
            limits = [(kind, int(min(value, LIMIT_HIGHEST))) for kind, value in limits]
            os.chdir(request["cwd"])
            pid = os.posix_spawnp(
                request["argv"][0],
                request["argv"],
                request["env"],
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, stdin, 0),
                    (os.POSIX_SPAWN_DUP2, output, 1),
                    (os.POSIX_SPAWN_DUP2, output, 2),
                ],
                setsid=True,
                setsigdef=[signal.SIGPIPE, signal.SIGINT, signal.SIGTERM, signal.SIGCHLD],
            )
        except OSError as error:
            self._tell({"id": request["id"], "errno": error.errno, "file": error.filename})
            return
        except (TypeError, ValueError):  # one bad request must not end everybody's commands
            self._tell({"id": request["id"], "errno": errno.EINVAL})
            return
        finally:
            for fd in fds:
                os.close(fd)
        for kind, value in limits:
            with contextlib.suppress(ProcessLookupError):
                hard = resource.prlimit(pid, kind)[1]
                most = value if hard == resource.RLIM_INFINITY else min(value, hard)
                resource.prlimit(pid, kind, (most, most))
        child = Child(request["id"], pid, request["mark"].encode())
        self._children[pid] = child
        self._by_id[child.id] = child

    def _tell(self, message: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):
            self._control.send(json.dumps(message).encode())

    # ------------------------------------------------------------ ends

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            child = self._children.pop(pid, None)
            if child is not None:
                del self._by_id[child.id]
                self._end_rest(child)
                self._tell({"id": child.id, "code": os.waitstatus_to_exitcode(status)})

    def _end_rest(self, child: Child) -> None:
        """A command that is over leaves nothing behind."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        if self._orphans():
            self._sweep(child.mark)

    def _orphans(self) -> list[int]:
        """Children that are no commands: descendants whose parents are gone."""
        me = os.getpid()
        try:
            text = Path(f"/proc/{me}/task/{me}/children").read_text()
        except OSError:
            return [pid for pid in children_by_parent().get(me, []) if pid not in self._children]
        return [pid for pid in map(int, text.split()) if pid not in self._children]

    def _sweep(self, mark: bytes) -> None:
        """Kill every orphan of one attempt, with all below it."""
        tree = children_by_parent()
        for pid in self._orphans():
            if has_mark(pid, mark):
                signal_all([pid, *descendants(tree, pid)], signal.SIGKILL)

    def _sweep_orphans(self, *, everything: bool = False) -> None:
        """Kill orphans that no running command accounts for (all of them, when nothing runs)."""
        if everything or not self._children:
            tree = children_by_parent()
            signal_all(descendants(tree, os.getpid()), signal.SIGKILL)

    def _stop(self, child: Child, grace_s: float) -> None:
        if child.kill_at is None:
            signal_all(self._members(child), signal.SIGTERM)
            child.kill_at = time.monotonic() + grace_s
        else:
            child.kill_at = min(child.kill_at, time.monotonic() + grace_s)

    def _members(self, child: Child) -> list[int]:
        tree = children_by_parent()
        found = [child.pid, *descendants(tree, child.pid)]
        for pid in self._orphans():
            if has_mark(pid, child.mark):
                found += [pid, *descendants(tree, pid)]
        return found

    # ------------------------------------------------------------ deadlines

    def _watch(self) -> None:
        now = time.monotonic()
        for child in list(self._children.values()):
            if child.kill_at is not None and now >= child.kill_at:
                members = self._members(child)
                signal_all(members, signal.SIGSTOP)  # so that none forks while they are killed
                signal_all(self._members(child), signal.SIGKILL)
        if not self._leaving and self._children and now - self._heard_at > self._silence_s:
            for child in self._children.values():
                self._stop(child, DEATH_GRACE_S)
        if self._orphans():
            self._sweep_orphans()

    def _leave(self) -> None:
        self._leaving = True
        for child in self._children.values():
            self._stop(child, DEATH_GRACE_S)


def main() -> None:
    """Serve the worker whose socket is the given file descriptor."""
    descriptor, silence_s = int(sys.argv[1]), float(sys.argv[2])
    os.set_inheritable(descriptor, False)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # it ends with its worker, not before
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno() or errno.EPERM))
    with contextlib.suppress(OSError), Path("/proc/self/oom_score_adj").open("w") as file:
        file.write("-500")
    Supervisor(socket.socket(fileno=descriptor), silence_s).serve()


if __name__ == "__main__":
    main()
