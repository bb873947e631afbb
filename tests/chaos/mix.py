"""A mixture of faults drawn from a seed: one after another, some before the last has healed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.chaos import network
from tests.chaos.load import finished
from tests.chaos.mixer import Mixer, cancel_if_open
from tests.chaos.spread import spread
from tests.chaos.stage import HEAL_S, Stage, after, drill
from tests.chaos.verdict import verdict

SEEDS_A_SITE = 10


@contextmanager
def hosts_if_any(var: Path) -> Iterator[dict[str, str]]:
    """Hosts that can be cut off, where the machine lets make some."""
    if network.why_no_network():
        yield {}
        return
    with network.hosts(var) as environment:
        yield environment


@drill("mix", surroundings=hosts_if_any)
def mixture(stage: Stage) -> str:
    """Ten mixtures of faults, each drawn from its seed, on one site."""
    if network.is_made():
        spread(stage.site)
    said: list[str] = []
    for seed in range(stage.seed, stage.seed + SEEDS_A_SITE):
        mixer = Mixer(stage, seed)
        try:
            _survive(mixer)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}, {mixer.said}: {error}") from error
        if found := verdict(stage):
            raise AssertionError(f"seed {seed}, {mixer.said}: {mixer.run} {found}")
        said += mixer.said
    return ", ".join(said)


def _survive(mixer: Mixer) -> None:
    after(mixer.dice.uniform(0.0, 1.5))
    mixer.mix()
    if mixer.dice.random() < 0.15:
        cancel_if_open(mixer.run)
    for execution in (mixer.run, *mixer.others):
        finished(execution, HEAL_S + 45 * mixer.tempo, mixer.mend)
