"""Rules taken out of every process of a site: its drill must fail, for the right reason.

Each rule guards a promise; the drill counts only if what it says is that this promise was broken.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.chaos.report import NAMES, today, write

QUICK = 0.2


@dataclass(frozen=True, slots=True)
class Mutant:
    """The row that sees it, and what that says then."""

    row: str
    breaks: str


MUTANTS = {
    "token at the start": Mutant("10", "attempts started twice"),
    "term": Mutant("4t", "rows changed under a stale term"),
    "reconcile": Mutant("3", "orders are sent again"),
    "self-stop": Mutant("5c", "commands alive when their permits are used again"),
}
"""By the rule, as `tests.dispatch.mutants` names it."""


def run_mutants(
    run: Callable[..., dict[str, Any]], databases: list[str], *, is_written: bool
) -> int:
    """Each drill with its rule and without it, on each database; 1 where one was not as due.

    A rule's line is written once it was judged on all of them.
    """
    wrong = 0
    for rule, mutant in MUTANTS.items():
        said = {}
        for database in databases:
            for name in ("", rule):
                faults = run(mutant.row, QUICK, 1, database, {"DRILL_MUTANT": name})["faults"]
                told = faults[0] if faults else "kept"
                is_right = mutant.breaks in told if name else not faults
                wrong += not is_right
                how = f"without {rule}" if name else f"with {rule}"
                mark = "as it should" if is_right else "WRONG"
                print(f"{database:>10} {mutant.row:>3} {how}: {told}  {mark}", flush=True)
            said[database] = _words(told) if is_right else "WRONG"
        if is_written and not wrong:
            line = (rule, mutant.row, *(said.get(name, "") for name in NAMES), today())
            write({"mutants": [line]}, [])
    return min(wrong, 1)


def _words(told: str) -> str:
    """Without what was found where: that differs each time."""
    return told.partition(": [")[0]
