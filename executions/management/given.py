"""What people give on the command line: a spec file, `--set`, an execution's id."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from executions import specs
from executions.models import Execution
from executions.models.runs import EXECUTION_ID_PREFIX
from executions.models.snapshots import site_limits
from executions.scheduling.model import LimitKey, LimitKind, limit_key

BAD_INPUT = 2
FORMATS: Mapping[str, specs.SpecFormat] = {
    ".json": "json",
    ".yaml": "yaml",
    ".yml": "yaml",
    ".csv": "csv",
}


def bad_input(message: str) -> CommandError:
    """An error of whoever typed the command."""
    return CommandError(message, returncode=BAD_INPUT)


@dataclass(frozen=True, slots=True)
class Overrides:
    """`--set`: the group's own fields, and limits of the site as they would be."""

    max_concurrency: int | None = None
    limits: Mapping[LimitKey, int] = field(default_factory=dict)
    workers: int | None = None


def overrides_of(texts: Iterable[str]) -> Overrides:
    """From `max_concurrency=8`, `team.dev_team=12`, `resource.db=2`, `workers=4`."""
    own: dict[str, int] = {}
    limits: dict[LimitKey, int] = {}
    for text in texts:
        name, _, value = text.partition("=")
        if not (value.isascii() and value.isdigit() and len(value) < 10):  # noqa: PLR2004 (fits every database)
            raise bad_input(f"--set {text}: what follows '=' must be a whole number")
        kind, dot, limit = name.partition(".")
        if name in ("max_concurrency", "workers"):
            own[name] = int(value)
            if own[name] < 1:
                raise bad_input(f"--set {text}: must be at least 1")
        elif dot and kind in set(LimitKind) and limit:
            limits[limit_key(LimitKind(kind), limit)] = int(value)
        else:
            kinds = ", ".join(f"{k}.NAME" for k in LimitKind)
            raise bad_input(f"--set {text}: name max_concurrency, workers, {kinds}")
    return Overrides(own.get("max_concurrency"), limits, own.get("workers"))


def text_of(path: str) -> bytes:
    """What the file holds; `-` is standard input."""
    try:
        if path == "-":
            return sys.stdin.buffer.read(specs.LARGE_SPEC_BYTES + 1)
        with Path(path).open("rb") as file:
            return file.read(specs.LARGE_SPEC_BYTES + 1)
    except OSError as error:
        raise bad_input(f"{path}: {error.strerror}") from None


def spec_given(path: str, *, site: specs.SiteLimits, check_payload: Any) -> specs.TaskGroupSpec:
    """The spec in a file, checked against this site; every fault is told."""
    try:
        return specs.load(
            text_of(path),
            site=site,
            check_payload=check_payload,
            format=FORMATS.get(Path(path).suffix.lower()),
            max_bytes=specs.LARGE_SPEC_BYTES,
        )
    except specs.SpecInvalidError as error:
        raise bad_input("\n".join(f"{path}: {fault}" for fault in error.faults)) from None


def spec_to_forecast(
    path: str, overrides: Overrides
) -> tuple[specs.TaskGroupSpec, dict[LimitKey, int]]:
    """A spec nothing of which is run, so that its runners do not matter; and the limits."""
    site = {**site_limits(), **overrides.limits}
    spec = spec_given(path, site=site, check_payload=lambda _runner, _payload: [])
    made = {limit_key(LimitKind.RESOURCE, n): r.capacity for n, r in spec.resources.items()}
    if overrides.max_concurrency is not None:
        spec = spec.model_copy(update={"max_concurrency": overrides.max_concurrency})
    return spec, {**made, **site}


def execution_given(public_id: str) -> Execution:
    """The execution with this id, with or without `PEXEC-`."""
    number = public_id.upper().removeprefix(EXECUTION_ID_PREFIX)
    execution = None
    if number.isascii() and number.isdigit() and len(number) < 19:  # noqa: PLR2004 (a BIGINT's digits)
        execution = Execution.objects.filter(pk=int(number)).first()
    if execution is None:
        raise bad_input(f"no execution '{public_id}'")
    return execution
