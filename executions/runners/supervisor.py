"""Beside each worker process, one supervisor: it forks keepers, each of which ends what it starts.

Whatever comes back to it from a keeper that died is killed. It ends with its worker, once every
keeper has. Standard library only; the worker's side is commands.py.
"""

from __future__ import annotations

import contextlib
import gc
import os
import selectors
import signal
import socket
import sys
import traceback

from executions.runners.keeper import Keeper
from executions.runners.processes import (
    ChildWake,
    become_subreaper,
    children_by_parent,
    signal_all,
    signal_below,
)

SWEEP_EVERY_S = 0.1


class Supervisor:
    """The loop: keepers asked for, keepers that ended, what those left."""

    def __init__(self, control: socket.socket, silence_s: float) -> None:
        self._control = control
        self._silence_s = silence_s
        self._keepers: set[int] = set()
        self._wake = ChildWake()
        self._selector = selectors.DefaultSelector()
        self._selector.register(control, selectors.EVENT_READ)
        self._selector.register(self._wake, selectors.EVENT_READ)

    def serve(self) -> None:
        """Until the worker is gone, every keeper, and what they left."""
        is_leaving = has_strays = False
        while not is_leaving or self._keepers or has_strays:
            for key, _ in self._selector.select(SWEEP_EVERY_S if has_strays else None):
                if key.fileobj is self._wake:
                    self._wake.clear()
                elif not self._hear():
                    is_leaving = True
                    self._selector.unregister(self._control)
            if self._reap() or has_strays:
                has_strays = self._end_strays()

    def _hear(self) -> bool:
        """Fork a keeper at the other end of the line that was sent; false: the worker is gone."""
        try:
            data, fds, _flags, _address = socket.recv_fds(self._control, 16, 1)
        except ConnectionError:
            return False
        if not data:
            return False
        with socket.socket(fileno=fds[0]) as line:
            pid = os.fork()
            if pid == 0:
                self._keep(line)
        self._keepers.add(pid)
        return True

    def _keep(self, line: socket.socket) -> None:
        """Be a keeper; never returns, for nothing of the parent may run in the child."""
        try:
            self._control.close()
            self._selector.close()
            self._wake.close()
            become_subreaper()
            Keeper(line, ChildWake(), self._silence_s).serve()
        except BaseException:  # noqa: BLE001 (as said)
            traceback.print_exc()
            os._exit(1)
        os._exit(0)

    def _reap(self) -> bool:
        """Whether a child has ended."""
        has_ended = False
        with contextlib.suppress(ChildProcessError):
            while pid := os.waitpid(-1, os.WNOHANG)[0]:
                self._keepers.discard(pid)
                has_ended = True
        return has_ended

    def _end_strays(self) -> bool:
        """Kill what is no keeper, with all below it; whether there was any."""
        strays = {p for p in children_by_parent().get(os.getpid(), ()) if p not in self._keepers}
        for pid in strays:
            signal_below(pid, signal.SIGKILL)
        signal_all(strays, signal.SIGKILL)
        return bool(strays)


def main() -> None:
    """Serve the worker whose socket is the given file descriptor."""
    descriptor, silence_s = int(sys.argv[1]), float(sys.argv[2])
    os.set_inheritable(descriptor, False)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # it ends with its worker, not before
    become_subreaper()
    gc.freeze()  # what is here now is shared by all that is forked
    Supervisor(socket.socket(fileno=descriptor), silence_s).serve()


if __name__ == "__main__":
    main()
