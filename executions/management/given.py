"""What people give on the command line: a spec file, `--set`, an execution's id."""

from __future__ import annotations

import sys
from argparse import ArgumentTypeError
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from executions import specs
from executions.exports.plain_text import plain
from executions.models import Execution
from executions.models.runs import EXECUTION_ID_PREFIX
from executions.models.snapshots import site_limits
from executions.scheduling.conditions import change_of, limit_at
from executions.scheduling.model import LimitKey

BAD_INPUT = 2
FORMATS: Mapping[str, specs.SpecFormat] = {
    ".json": "json",
    ".yaml": "yaml",
    ".yml": "yaml",
    ".csv": "csv",
}


def bad_input(message: str) -> CommandError:
    """An error of whoever typed the command."""
    return CommandError(plain(message), returncode=BAD_INPUT)


def changes_of(texts: Iterable[str]) -> dict[LimitKey, int]:
    """From `--set max_concurrency=8`, `team.dev_team=12`, `resource.db=2`, `workers=4`."""
    found: dict[LimitKey, int] = {}
    faults = []
    for text in texts:
        try:
            found.update([_change_in(text)])
        except ValueError as error:
            faults.append(f"--set {text}: {error}")
    if faults:
        raise bad_input("\n".join(faults))
    return found


def _change_in(text: str) -> tuple[LimitKey, int]:
    name, _, value = text.partition("=")
    key = limit_at(name)
    number = specs.whole_number(value)
    if number is None:
        raise ValueError("what follows '=' must be a whole number")
    return change_of(key, number)


def at_least_one(text: str) -> int:
    """A number of things there must be, as argparse asks."""
    number = specs.whole_number(text)
    if not number:
        raise ArgumentTypeError(f"'{text}' is no whole number of at least 1")
    return number


def text_of(path: str) -> bytes:
    """What the file holds; `-` is standard input."""
    try:
        if path == "-":
            if sys.stdin is None:
                raise bad_input("-: standard input is closed")
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


def spec_to_forecast(path: str, changes: Mapping[LimitKey, int]) -> specs.TaskGroupSpec:
    """A spec of which nothing is run, so that its runners do not matter."""
    site = {**site_limits(), **changes}
    return spec_given(path, site=site, check_payload=lambda _runner, _payload, _before: [])


def execution_given(public_id: str) -> Execution:
    """The execution with this id, with or without `PEXEC-`."""
    number = public_id.upper().removeprefix(EXECUTION_ID_PREFIX)
    key = specs.whole_number(number, specs.KEY_DIGITS)
    execution = None if key is None else Execution.objects.filter(pk=key).first()
    if execution is None:
        raise bad_input(f"no execution '{public_id}'")
    return execution
