"""Processes of the system: who is below whom, who carries a mark, and how to end them.

Standard library only: it is part of the processes that supervise commands.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
from collections.abc import Iterable, Iterator
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36

_libc = ctypes.CDLL(None, use_errno=True)


def become_subreaper() -> None:
    """Let every descendant that loses its parent become a child of this process."""
    if _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "the system knows no subreapers")


def die_with_parent(number: signal.Signals = signal.SIGKILL) -> None:
    """Get this signal when the parent ends, however it ends."""
    _libc.prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)


def _stats() -> Iterator[tuple[int, int, int]]:
    """Every process, its parent and its group; zombies too: their threads may have children."""
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                text = Path(f"/proc/{entry.name}/stat").read_bytes()
                _state, parent, group = text[text.rindex(b")") + 2 :].split(maxsplit=3)[:3]
                yield int(entry.name), int(parent), int(group)


def children_by_parent() -> dict[int, list[int]]:
    """The process tree as it is now."""
    tree: dict[int, list[int]] = {}
    for pid, parent, _group in _stats():
        tree.setdefault(parent, []).append(pid)
    return tree


def descendants(pid: int) -> list[int]:
    """All below a process, as they are now."""
    return list(below(pid))


def below(pid: int) -> dict[int, int]:
    """All below a process, each with its group."""
    groups: dict[int, int] = {}
    tree: dict[int, list[int]] = {}
    for child, parent, group in _stats():
        groups[child] = group
        tree.setdefault(parent, []).append(child)
    found: dict[int, int] = {}
    waiting = [pid]
    while waiting:
        children = tree.get(waiting.pop(), [])
        found |= {child: groups[child] for child in children}
        waiting += children
    return found


def signal_below(pid: int, number: int) -> None:
    """Send a signal to all below a process.

    To whole groups first: nothing in a group can fork between, as fast as it may try.
    """
    found = below(pid)
    for group in {*found.values()} - {os.getpgrp()}:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, number)
    signal_all(found, number)


def tasks_of_the_system() -> int:
    """How many processes and threads there are: cheap to ask, however many they are."""
    descriptor = os.open("/proc/loadavg", os.O_RDONLY)
    try:
        return int(os.read(descriptor, 200).split()[3].partition(b"/")[2])
    finally:
        os.close(descriptor)


def has_mark(pid: int, mark: bytes) -> bool:
    """Whether a process was started with a mark in its environment."""
    try:
        return mark in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False


def kill_marked(mark: bytes) -> None:
    """Kill every process that carries a mark: for when nobody else is left to do it."""
    for entry in os.scandir("/proc"):
        if entry.name.isdigit() and has_mark(int(entry.name), mark):
            signal_all([int(entry.name)], signal.SIGKILL)


def signal_all(pids: Iterable[int], number: int) -> None:
    """Send a signal to processes, some of which may be gone."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


class ChildWake:
    """Something to wait on that is ready when a child may have ended."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def fileno(self) -> int:
        """What poll waits on."""
        return self._read

    def clear(self) -> None:
        """Forget what was told."""
        with contextlib.suppress(BlockingIOError):
            os.read(self._read, 4096)

    def close(self) -> None:
        """Be told no more: for a child that has a wake of its own."""
        signal.set_wakeup_fd(-1)
        os.close(self._read)
        os.close(self._write)
