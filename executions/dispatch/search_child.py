"""One search for a better order of the rest of a run, in a process of its own.

Reads a pickled `Standing` from its input, writes a pickled `RanksChanged` or None. It is started
by the dispatcher only, and gives way to everything else on the machine.
"""

from __future__ import annotations

import os
import pickle
import random
import sys
import time
from typing import Final

from executions.scheduling.replanning import Standing, better_rest
from executions.scheduling.search import BUDGET_S, SEARCH_SHARE, SEED, Budget

NICE: Final = 10


def main() -> None:
    """Answer one question."""
    os.nice(NICE)
    standing = pickle.load(sys.stdin.buffer)  # noqa: S301 from the process that started this one
    assert isinstance(standing, Standing)
    seconds = min(BUDGET_S, SEARCH_SHARE * standing.expected_s)
    budget = Budget(seconds=seconds, now=time.process_time)
    draw = random.Random(SEED)  # noqa: S311 nothing secret
    pickle.dump(better_rest(standing, draw=draw, budget=budget), sys.stdout.buffer)


if __name__ == "__main__":
    main()
