"""Every row of the fault table that is drilled, in its order."""

from tests.chaos import database_drills, drills
from tests.chaos.stage import DRILLS

__all__ = ["DRILLS", "database_drills", "drills"]

_ORDER = sorted(DRILLS, key=lambda row: (int("".join(c for c in row if c.isdigit())), row))
for _row in _ORDER:
    DRILLS[_row] = DRILLS.pop(_row)
