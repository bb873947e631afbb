"""Which drill fails when which rule is taken out of every process of its site."""

from __future__ import annotations

from dataclasses import dataclass

QUICK = 0.2


@dataclass(frozen=True, slots=True)
class Mutant:
    """The row that sees it."""

    row: str


MUTANTS = {
    "token at the start": Mutant("10"),
    "term": Mutant("4t"),
    "reconcile": Mutant("3"),
    "self-stop": Mutant("5c"),
}
"""By the rule, as `tests.dispatch.mutants` names it."""
