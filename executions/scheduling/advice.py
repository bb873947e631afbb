"""What one more of a limit would save: always by replay, never by formula."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from executions.scheduling.conditions import Conditions
from executions.scheduling.model import LimitKey
from executions.scheduling.needs import OWN, limit_name
from executions.scheduling.simulation import SimulationResult

LIMITS_TRIED: Final = 4
LEAST_SAVED: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Advice:
    """One more of `limit` saves `saves_s` of the makespan."""

    limit: LimitKey
    now: int
    then: int
    saves_s: float

    def as_json(self) -> dict[str, object]:
        """As in a plan; `text` is for people."""
        return {
            "limit": self.limit,
            "from": self.now,
            "to": self.then,
            "saves_s": round(self.saves_s, 3),
            "text": f"{self.limit.partition(':')[2] or self.limit}: "
            f"{self.now} → {self.then} saves {self.saves_s:.4g} s",
        }


def waited_for(result: SimulationResult) -> list[LimitKey]:
    """The limits that were waited for, the one that bound longest first."""
    keys: dict[str, tuple[float, float]] = {}
    for key in {**result.alone, **result.waited}:
        name = limit_name(key).removeprefix(OWN)
        alone, waited = keys.get(name, (0.0, 0.0))
        keys[name] = (
            alone + result.alone.get(key, 0.0),
            waited + result.waited.get(key, 0.0),
        )
    return [LimitKey(key) for key in sorted(keys, key=lambda key: (-keys[key][0], -keys[key][1]))]


def advise(
    conditions: Conditions,
    keys: Iterable[LimitKey],
    makespan_s: float,
    replay: Callable[[Conditions], float],
    *,
    most: int = LIMITS_TRIED,
) -> list[Advice]:
    """What one more of each of the first `most` limits saves, the best first."""
    capacity = conditions.capacities()
    found = []
    for key in [key for key in keys if key in capacity][:most]:
        now = capacity[key]
        saves_s = makespan_s - replay(conditions.with_limit(key, now + 1))
        if saves_s > LEAST_SAVED:
            found.append(Advice(key, now, now + 1, saves_s))
    return sorted(found, key=lambda advice: -advice.saves_s)
