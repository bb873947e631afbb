"""`manage.py pexec`: forecast, run, watch and report from the command line.

Exit codes: 0 all completed, 1 some failed, 2 bad input or no site, 3 cancelled.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser
from django.db import connection
from rich.console import Console

from executions import exports, services
from executions.exports.plain_text import plain_line
from executions.management import alive, forecasts, watch
from executions.management.embedded_redis import NoRedisError
from executions.management.given import (
    bad_input,
    changes_of,
    execution_given,
    spec_given,
    spec_to_forecast,
)
from executions.management.site import LOCAL_RUNNERS, NotReadyError, embedded, is_working
from executions.models import Execution, TaskGroup
from executions.reporting.forecast import execution_what_if, group_plan
from executions.reporting.report import execution_report
from executions.scheduling.simulation import SimulationStalled
from executions.specs import SpecInvalidError

DAYS_LIMIT = 36525


class Command(BaseCommand):
    """One verb a subcommand."""

    help = "Forecast, run, watch and report task groups."

    def add_arguments(self, parser: CommandParser) -> None:
        """The subcommands."""
        verbs = parser.add_subparsers(dest="verb", required=True)
        for verb, words in (
            ("plan", "parallelizable groups, forecast, lower bound, what binds"),
            ("simulate", "run the scheduler on a virtual clock from the tasks' duration_s"),
        ):
            forecast = verbs.add_parser(verb, help=words)
            forecast.add_argument("spec", metavar="SPEC")
            forecast.add_argument("--json", action="store_true")
            forecast.add_argument("--set", action="append", default=[], metavar="NAME=NUMBER")
        what_if = verbs.add_parser("what-if", help="a run again under other limits")
        what_if.add_argument("id", metavar="ID")
        what_if.add_argument("--json", action="store_true")
        what_if.add_argument("--set", action="append", default=[], metavar="NAME=NUMBER")
        run = verbs.add_parser(
            "run", help="submit, show progress, print the summary; Ctrl-C cancels, twice leaves"
        )
        run.add_argument("spec", metavar="SPEC")
        run.add_argument("--json", action="store_true", help="print the report as JSON")
        run.add_argument("--user", help="on whose behalf")
        report = verbs.add_parser("report", help="print the report of an execution")
        report.add_argument("id", metavar="ID")
        report.add_argument("--format", default="json", choices=list(exports.EXPORTS))
        for verb, words in (
            ("cancel", "stop an execution"),
            ("retry-failed", "run again what did not complete"),
        ):
            simple = verbs.add_parser(verb, help=words)
            simple.add_argument("id", metavar="ID")
            simple.add_argument("--user", help="on whose behalf")
            if verb == "retry-failed":
                simple.add_argument(
                    "--only", action="append", metavar="TASK", help="and what it needs; repeatable"
                )
                simple.add_argument(
                    "--with-skipped",
                    action="store_true",
                    help="and what was skipped without it",
                )

        living = verbs.add_parser("alive", help="whether a part works here, for health checks")
        living.add_argument("part", choices=list(alive.PARTS))
        prune = verbs.add_parser("prune", help="remove old executions (see PEXEC_KEEP_DAYS)")
        keep = services.retention_configured()
        prune.add_argument("--days", type=float, default=keep.days, help="keep so many")
        prune.add_argument("--runs", type=int, default=keep.runs, help="keep the newest so many")
        prune.add_argument("--export", metavar="DIRECTORY", default=keep.export_to, type=Path)
        prune.add_argument("--dry-run", action="store_true", help="only say which")

    def handle(self, *_args: Any, verb: str, **options: Any) -> None:
        """Do what the subcommand says."""
        if verb == "alive":  # asked before there are tables, and while the database is away
            return self.do_alive(**options)
        if Execution._meta.db_table not in connection.introspection.table_names():  # noqa: SLF001 (documented)
            call_command("migrate", verbosity=0, interactive=False)
        getattr(self, "do_" + verb.replace("-", "_"))(**options)
        return None

    def do_alive(self, *, part: str, **_: Any) -> None:
        """Exit code 1 and why, where it does not work."""
        try:
            alive.check(part)
        except alive.DeadError as error:
            self.stderr.write(str(error))
            sys.exit(1)
        self.stdout.write("ok")

    def do_simulate(self, *, spec: str, set: list[str], json: bool, **_: Any) -> None:  # noqa: A002 (options' names)
        """A schedule on a virtual clock."""
        changes = changes_of(set)
        with _stalls_told():
            forecast = forecasts.simulated(spec_to_forecast(spec, changes), changes)
        self._tell(forecast, None if json else forecasts.simulation_words)

    def do_plan(self, *, spec: str, set: list[str], json: bool, **_: Any) -> None:  # noqa: A002 (options' names)
        """What is known of a group before it runs."""
        changes = changes_of(set)
        found = spec_to_forecast(spec, changes)
        group = TaskGroup.objects.filter(name=found.name).first()
        plan = group_plan(found, group=group, changes=changes, tasks_limit=None).as_json()
        self._tell(plan, None if json else forecasts.plan_words)

    def do_prune(
        self, *, days: float, runs: int, export: Path | None, dry_run: bool, **_: Any
    ) -> None:
        """Remove what is beyond what is kept."""
        keep = services.Keep(days, runs, export)
        if keep.is_off or not 0 <= days <= DAYS_LIMIT or runs < 0:
            message = f"say how much to keep: --days (at most {DAYS_LIMIT}) and/or --runs, above 0"
            raise bad_input(message)
        found = (
            [execution.public_id for execution in services.executions_expired(keep)]
            if dry_run
            else services.executions_prune(keep)
        )
        for public_id in found:
            self.stdout.write(public_id)
        self.stdout.write(f"{len(found)} executions {'would be ' if dry_run else ''}removed")

    def do_what_if(self, *, id: str, set: list[str], json: bool, **_: Any) -> None:  # noqa: A002 (options' names)
        """A run again under other limits."""
        changes = changes_of(set)
        with _stalls_told():
            found = execution_what_if(execution_given(id), changes, tasks_limit=None).as_json()
        self._tell(found, None if json else forecasts.what_if_words)

    def _tell(self, found: dict[str, Any], words: Callable[..., str] | None) -> None:
        """A forecast in words or as JSON; beside it what was set for nothing."""
        for limit in found["unneeded"]:
            self.stderr.write(plain_line(f"note: no task needs {limit}; setting it does nothing"))
        self.stdout.write(_json(found) if words is None else words(found))

    def do_run(self, *, spec: str, json: bool, user: str | None, **_: Any) -> None:
        """Submit and follow."""
        if "PEXEC_RUNNERS" not in os.environ:  # whoever types this may run commands here anyway
            os.environ["PEXEC_RUNNERS"] = LOCAL_RUNNERS
            settings.PEXEC_RUNNERS = LOCAL_RUNNERS.split(",")
        by = _user(user)
        found = spec_given(spec, **services.spec_surroundings())
        with _site_at_work():
            try:
                execution = services.execution_submit(user=by, spec=found)
            except (SpecInvalidError, PermissionDenied) as error:
                raise bad_input(str(error)) from None
            console = Console(stderr=True)
            title = plain_line(f"{execution.public_id} {execution.name}")
            console.print(title, markup=False, highlight=False)
            watch.follow(execution, console, user=by)
        self._finish(execution, "json" if json else "text")

    def _finish(self, execution: Execution, kind: str) -> None:
        self.stdout.write(exports.export(execution_report(execution), kind))
        sys.exit(watch.exit_code(execution))

    def do_report(self, *, id: str, format: str, **_: Any) -> None:  # noqa: A002 (options' names)
        """A report in one of the formats."""
        self.stdout.write(exports.export(execution_report(execution_given(id)), format))

    def do_cancel(self, *, id: str, user: str | None, **_: Any) -> None:  # noqa: A002 (an option's name)
        """Ask for an end."""
        execution = execution_given(id)
        try:
            services.execution_cancel(execution=execution, user=_user(user))
        except services.NotAllowedNowError as error:
            raise bad_input(str(error)) from None
        self.stdout.write(f"{execution.public_id} is being cancelled")

    def do_retry_failed(
        self,
        *,
        id: str,  # noqa: A002 (an option's name)
        user: str | None,
        only: list[str] | None,
        with_skipped: bool,
        **_: Any,
    ) -> None:
        """A new execution of the rest, or of a part of it."""
        try:
            execution = services.execution_retry_failed(
                execution=execution_given(id),
                user=_user(user),
                only=only,
                with_skipped=with_skipped,
            )
        except services.NothingToRetryError as error:
            raise bad_input(str(error) or str(error.__doc__)) from None
        except SpecInvalidError as error:
            raise bad_input(str(error)) from None
        self.stdout.write(execution.public_id)


@contextlib.contextmanager
def _site_at_work() -> Iterator[None]:
    """The one that runs, else one for as long as it is needed."""
    try:
        with contextlib.nullcontext() if is_working() else embedded():
            yield
    except (NotReadyError, NoRedisError) as error:
        raise bad_input(f"{type(error).__doc__} ({error})") from None


@contextlib.contextmanager
def _stalls_told() -> Iterator[None]:
    """What cannot end under these limits is the asker's to change."""
    try:
        yield
    except SimulationStalled as error:
        raise bad_input(f"it would never end: {error}") from None


def _json(data: Any) -> str:
    return json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False)


def _user(name: str | None) -> Any:
    """On whose behalf: as told, else nobody's."""
    if name is None:
        return None
    active = get_user_model().objects.filter(is_active=True)
    user = active.filter(username=name).first() if name.isprintable() else None
    if user is None:
        raise bad_input(f"no user '{name}'")
    return user
