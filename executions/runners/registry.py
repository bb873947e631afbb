"""Which runners there are, made ready for one worker process; and their checks, for the web.

Built-in ones are named here; other packages add theirs by the entry point group `pexec.runners`: a
class that is called with the RunnerOptions. One that cannot be loaded is left out and logged.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from executions.runners import shell
from executions.runners.base import Context, End, Outcome, Runner
from executions.runners.builtin import Fault, Noop, Sleep
from executions.runners.commands import Commands
from executions.runners.connection import Allowed
from executions.runners.external import External
from executions.runners.http import Http
from executions.runners.http_payload import check_payload as check_http
from executions.runners.python import Python
from executions.runners.python import check_payload as check_python
from executions.runners.results import kept

log = logging.getLogger(__name__)

ENTRY_POINTS = "pexec.runners"
BUILT_IN = frozenset({"noop", "sleep", "shell", "http", "python", "external"})


@dataclass(frozen=True, slots=True)
class RunnerOptions:
    """What runners of one worker process may use."""

    scratch_dir: Path
    python_callables: tuple[str, ...] = ()
    http_allowed: tuple[str, ...] = ()
    """Private addresses that may be reached: networks, host names, `*` for all."""
    silence_s: float = 20.0
    """Commands end when their worker said nothing for so long."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What is known of a kind of runner without making one."""

    dangerous: bool
    check: Callable[[Mapping[str, Any]], list[Fault]]


@cache
def added() -> dict[str, type[Runner]]:
    """The runners of other packages by name; none takes the name of a built-in one."""
    found: dict[str, type[Runner]] = {}
    for point in entry_points(group=ENTRY_POINTS):
        if point.name in BUILT_IN:
            log.error("runner %s of %s has a name that is taken", point.name, point.value)
            continue
        try:
            found[point.name] = point.load()
        except (Exception, SystemExit):  # its fault must not take the others along
            log.exception("runner %s cannot be loaded from %s", point.name, point.value)
    return found


@cache
def kinds() -> dict[str, Kind]:
    """Every kind of runner there is, enabled or not."""
    found = {
        Noop.name: Kind(dangerous=False, check=Noop().check),
        Sleep.name: Kind(dangerous=False, check=Sleep().check),
        External.name: Kind(dangerous=False, check=External().check),
        shell.Shell.name: Kind(dangerous=True, check=shell.check_payload),
        Http.name: Kind(dangerous=False, check=check_http),
        Python.name: Kind(dangerous=True, check=check_python),
    }
    for name, runner in added().items():
        found[name] = Kind(runner.dangerous, partial(_checked, runner))
    return found


def _checked(runner: type[Runner], payload: Mapping[str, Any]) -> list[Fault]:
    """What a class says of a payload, without an object: its check needs no options."""
    try:
        return runner.check(None, payload)  # type: ignore[arg-type]
    except Exception as error:  # noqa: BLE001 (told like any other fault)
        return [("", f"cannot be checked: {type(error).__name__}: {error}")]


def check_payload(name: str, payload: Mapping[str, Any], enabled: Iterable[str]) -> list[Fault]:
    """Every fault of a task's runner and payload; an empty place is the runner itself."""
    if name not in kinds():
        return [("", f"no runner '{name}'; there are {', '.join(sorted(kinds()))}")]
    if name not in set(enabled):
        return [("", f"runner '{name}' is not enabled here")]
    return kinds()[name].check(payload)


class RunnerSet:
    """The enabled runners of one worker process."""

    def __init__(self, names: Iterable[str], options: RunnerOptions) -> None:
        self.names = frozenset(names)
        self._commands = Commands(options.silence_s)
        self._runners: dict[str, Runner] = {}
        makers: dict[str, Callable[[], Runner]] = {
            "noop": Noop,
            "sleep": Sleep,
            "external": External,
            "http": lambda: Http(allowed=Allowed.listed(options.http_allowed)),
            "shell": lambda: shell.Shell(self._commands, options.scratch_dir),
            "python": lambda: Python(self._commands, options.scratch_dir, options.python_callables),
        }
        for name in self.names & makers.keys():
            self._runners[name] = makers[name]()
        for name in self.names & added().keys():
            try:
                self._runners[name] = added()[name](options)  # type: ignore[call-arg]
            except (Exception, SystemExit):  # the others work on
                log.exception("runner %s cannot be made ready", name)

    @property
    def _needs_commands(self) -> bool:
        return not self._runners.keys().isdisjoint(("shell", "python"))

    def start(self) -> None:
        """Make ready."""
        if self._needs_commands:
            self._commands.start()

    def stop(self) -> None:
        """End everything."""
        self._commands.stop()

    def keep_alive(self) -> None:
        """Say that this process is not stopped; to be called each second."""
        if self._needs_commands:
            self._commands.keep_alive()

    def run(self, name: str, payload: Mapping[str, Any], context: Context) -> Outcome:
        """Run one attempt. Never raises."""
        runner = self._runners.get(name)
        if runner is None:
            return Outcome(
                End.FAILED, f"runner '{name}' is not enabled on this worker", retryable=False
            )
        try:
            if faults := runner.check(payload):  # what was filled in may not fit
                told = "; ".join(f"{place}: {message}" for place, message in faults)
                return Outcome(End.FAILED, told, retryable=False)
            return kept(runner.run(payload, context))
        except (Exception, SystemExit) as error:  # noqa: BLE001 (its fault is a failed attempt)
            return kept(Outcome(End.FAILED, f"{type(error).__name__}: {error}"))
