"""Turns a group and its limits into our spec: `python -m bench.spec FILE [--slots N]` prints it.

FILE is a PSPLIB `.sm` or a WfFormat trace.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.psplib import read_sm
from bench.wfformat import read_wfformat
from executions.scheduling.model import Group, LimitKey, LimitKind


def spec_of(group: Group, limits: Mapping[LimitKey, int]) -> dict[str, Any]:
    """The spec: resources with their capacities, types left to the site's limits."""
    prefix = f"{LimitKind.RESOURCE}:"
    return {
        "name": group.name,
        "max_concurrency": group.max_concurrency,
        "planning": group.planning,
        "resources": {
            key.removeprefix(prefix): {"capacity": value}
            for key, value in limits.items()
            if key.startswith(prefix)
        },
        "tasks": [
            {
                "id": task.id,
                "runner": "noop",
                "duration_s": task.duration_s,
                "depends_on": list(task.depends_on),
                "required_resources": [
                    {"id": need.resource, "amount": need.amount, "exclusive": need.exclusive}
                    for need in task.requirements
                ],
            }
            | ({} if task.task_type is None else {"task_type": task.task_type})
            for task in group.tasks
        ],
    }


def main() -> None:
    """Print the spec as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--slots", type=int, default=16, help="max_concurrency of a workflow")
    asked = parser.parse_args()
    if asked.file.suffix == ".sm":
        found = spec_of(*read_sm(asked.file))
    else:
        found = spec_of(read_wfformat(asked.file, max_concurrency=asked.slots), {})
    json.dump(found, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
