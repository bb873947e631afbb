"""Where each task stands in the drawing of its graph."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from executions.models import TaskRun

Neighbours = Mapping[int, Sequence[int]]


def levels(depends_on: list[list[int]]) -> list[int]:
    """The length of the longest chain before each task; a run's graph has no cycle."""
    dependents = defaultdict(list)
    missing = [len(needs) for needs in depends_on]
    for position, needs in enumerate(depends_on):
        for need in needs:
            dependents[need].append(position)
    level = [0] * len(depends_on)
    ready = [position for position, count in enumerate(missing) if count == 0]
    while ready:
        position = ready.pop()
        for dependent in dependents[position]:
            level[dependent] = max(level[dependent], level[position] + 1)
            missing[dependent] -= 1
            if missing[dependent] == 0:
                ready.append(dependent)
    return level


def graph_layers(pk: int) -> list[list[int]]:
    """Positions by level, each level ordered so that few edges cross (barycentre, two sweeps)."""
    rows = list(
        TaskRun.objects.filter(execution_id=pk)
        .order_by("position")
        .values_list("task_id", "depends_on")
    )
    positions = {task_id: position for position, (task_id, _) in enumerate(rows)}
    needs = [[positions[task] for task in depends if task in positions] for _, depends in rows]
    dependents: dict[int, list[int]] = defaultdict(list)
    for position, before in enumerate(needs):
        for need in before:
            dependents[need].append(position)
    layers: list[list[int]] = []
    for position, level in enumerate(levels(needs)):
        while len(layers) <= level:
            layers.append([])
        layers[level].append(position)
    place = {p: i for layer in layers for i, p in enumerate(layer)}
    both: tuple[tuple[list[list[int]], Neighbours], ...] = (
        (layers, dict(enumerate(needs))),
        (layers[::-1], dependents),
    )
    for order, neighbours in both * 2:
        for layer in order:
            _sort_by_neighbours(layer, neighbours, place)
    return layers


def _sort_by_neighbours(layer: list[int], neighbours: Neighbours, place: dict[int, int]) -> None:
    def centre(position: int) -> float:
        near = neighbours.get(position, ())
        return sum(place[n] for n in near) / len(near) if near else place[position]

    layer.sort(key=centre)
    place.update({position: index for index, position in enumerate(layer)})
