"""`manage.py up`: everything on this machine, ready to use, until Ctrl-C."""

from __future__ import annotations

import os
import secrets
import signal
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from executions import services, specs
from executions.management.embedded_redis import NoRedisError
from executions.management.given import at_least_one
from executions.management.site import LOCAL_RUNNERS, NotReadyError, PortTakenError, Site
from executions.models import Execution, TaskGroup

USER = "admin"
STOPPERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
DEMO = Path(__file__).resolve().parents[1] / "demo.yaml"


class Command(BaseCommand):
    """Prepare, start, say where, wait, stop."""

    help = "Run web, dispatcher, workers and, where none is given, Redis, until Ctrl-C."

    def add_arguments(self, parser: CommandParser) -> None:
        """The options."""
        parser.add_argument("--no-demo", action="store_true", help="submit no demo group")
        parser.add_argument("--workers", type=at_least_one, default=1, help="worker processes (1)")
        parser.add_argument(
            "--slots", type=at_least_one, default=16, help="tasks at once in each (16)"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Do all of it."""
        if "PEXEC_RUNNERS" not in os.environ:
            os.environ["PEXEC_RUNNERS"] = LOCAL_RUNNERS
            os.execv(sys.executable, [sys.executable, *sys.argv])  # noqa: S606 (ourselves again)
        site = Site(port=settings.PORT, workers=options["workers"], slots=options["slots"])
        try:
            site.check_port()
        except PortTakenError as error:
            raise CommandError(f"{PortTakenError.__doc__} {error}") from None
        for number in STOPPERS:
            signal.signal(number, _interrupt)
        try:
            call_command("migrate", verbosity=0)
            call_command("collectstatic", verbosity=0, interactive=False)
            password = first_user()
            site.start()
            site.wait_ready()
            if not options["no_demo"]:
                submit_demo()
            address = f"http://localhost:{settings.PORT}/"
            self.stdout.write(f"pexec runs at {address}  user: {USER}  password: {password}")
            self.stdout.flush()
            site.wait()
        except KeyboardInterrupt:
            self.stderr.write("stopping …")
        except (NotReadyError, NoRedisError) as error:
            raise CommandError(f"{type(error).__doc__} ({error})") from None
        finally:
            _listen_no_more()
            site.stop()


def _interrupt(*_: object) -> None:
    """Stop, once: nothing may come between and leave half of it running."""
    _listen_no_more()
    raise KeyboardInterrupt


def _listen_no_more() -> None:
    for number in STOPPERS:
        signal.signal(number, signal.SIG_IGN)


def first_user() -> str:
    """The password of the first user, made once and kept in var/ for its owner's eyes."""
    path = settings.VAR_DIR / "password"
    users = get_user_model().objects
    if users.filter(username=USER).exists():
        return path.read_text() if path.exists() else "(as you set it)"
    password = secrets.token_urlsafe(9)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(password)
    users.create_superuser(USER, password=password)
    return password


def submit_demo() -> None:
    """Save the demo group and run it, the first time."""
    if Execution.objects.exists():
        return
    user = get_user_model().objects.get(username=USER)
    spec = specs.parse(DEMO.read_text(), format="yaml")
    group = TaskGroup.objects.filter(name=spec.name).first()
    group = group or services.group_save(spec=spec, user=user)
    services.execution_submit(user=user, group=group)
