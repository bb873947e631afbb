"""What a drill may not leave: zombies while the site runs, processes after it has ended."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from executions.runners.processes import descendants
from tests.chaos.site import lasting

ZOMBIES_WITHIN_S = 6.0
ORPHANS_WITHIN_S = 6.0


def zombies() -> list[str]:
    """Processes of the site that have ended and that nobody takes: none for longer than a while."""
    return _still(
        lambda: [pid for pid in _ours() if _of(pid)[0] == "Z"], "zombie", ZOMBIES_WITHIN_S
    )


def orphans() -> list[str]:
    """What still runs although the site has ended. This process is who all of them come to."""
    return _still(_left, "left behind", ORPHANS_WITHIN_S)


def _left() -> list[int]:
    _reap()
    return [pid for pid in descendants(os.getpid()) if "postgres" not in _of(pid)[2]]


def _still(look: Callable[[], list[int]], what: str, within_s: float) -> list[str]:
    """Those that are there all the time, in words."""
    found = sorted(lasting(look, within_s))
    return [f"{what}: process {pid} {_of(pid)[2]}" for pid in found]


def _ours() -> list[int]:
    """All below this process but its own children, whose ends it takes itself."""
    me = os.getpid()
    return [pid for pid in descendants(me) if _of(pid)[1] != me]


def _of(pid: int) -> tuple[str, int, str]:
    """State, parent and command line of a process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        command = Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ("", 0, "")
    state, parent = stat.rpartition(")")[2].split()[:2]
    return (state, int(parent), command.strip() or stat[:40])


def _reap() -> None:
    """Take the ends of those that came to this process, as the first process of a system does."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return
