"""Every row of the fault table that is drilled, in its order."""

from tests.chaos import (
    command_drills,
    database_drills,
    drills,
    fence_drills,
    host_drills,
    limit_drills,
    mix,
    shutdown_drills,
    spec_drills,
    upgrade_drill,
    watch_drills,
)
from tests.chaos.stage import DRILLS

__all__ = [
    "DRILLS",
    "MIX",
    "command_drills",
    "database_drills",
    "drills",
    "fence_drills",
    "host_drills",
    "limit_drills",
    "mix",
    "shutdown_drills",
    "spec_drills",
    "upgrade_drill",
    "watch_drills",
]

MIX = DRILLS.pop("mix")
"""Not a row: run with `--seeds`."""

_ORDER = sorted(DRILLS, key=lambda row: (int("".join(c for c in row if c.isdigit())), row))
for _row in _ORDER:
    DRILLS[_row] = DRILLS.pop(_row)
