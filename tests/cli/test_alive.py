"""Health checks: what works says so, what does not says why, and the file for containers asks."""

import shlex
import threading
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import yaml
from django.core.management import call_command
from django.db.models.functions import Now

from executions.management.commands.pexec import Command
from executions.models import DispatcherProcess, WorkerProcess

pytestmark = pytest.mark.django_db
COMPOSE = yaml.safe_load((Path(__file__).parents[2] / "docker-compose.yml").read_text())
ENDS_BY_ITSELF = {"migrate"}


def why_dead(capsys, part):
    """What is said of it; "" where it is alive."""
    try:
        call_command("pexec", "alive", part)
    except SystemExit as end:
        return capsys.readouterr().err.strip() if end.code == 1 else f"exit code {end.code}"
    assert capsys.readouterr().out.strip() == "ok"
    return ""


def worker(host, silent_s=0.0, **fields):
    return WorkerProcess.objects.create(
        incarnation=f"{host}-{WorkerProcess.objects.count()}",
        host=host,
        pid=1,
        slots=4,
        first_seen_at=Now(),
        heartbeat_at=Now() - timedelta(seconds=silent_s),
        **fields,
    )


def dispatcher(host, silent_s=0.0):
    seen_at = Now() - timedelta(seconds=silent_s)
    about = {"host": host, "pid": 1, "started_at": seen_at, "seen_at": seen_at}
    DispatcherProcess.objects.create(holder=f"{host}-{silent_s}", **about)


def test_a_dispatcher_is_alive_while_one_of_this_machine_says_so(capsys, monkeypatch):
    monkeypatch.setattr("socket.gethostname", lambda: "here")
    silent = "no dispatcher of this machine gives a sign of life"
    dispatcher("elsewhere")
    dispatcher("here", silent_s=50)
    assert why_dead(capsys, "dispatcher") == silent
    dispatcher("here")
    assert why_dead(capsys, "dispatcher") == ""


def test_a_worker_is_alive_while_one_of_this_machine_says_so(capsys, monkeypatch):
    monkeypatch.setattr("socket.gethostname", lambda: "here")
    silent = "no worker process of this machine gives a sign of life"
    worker("elsewhere")
    worker("here", silent_s=50)
    worker("here", gone_at=Now())
    assert why_dead(capsys, "worker") == silent
    worker("here")
    assert why_dead(capsys, "worker") == ""


@contextmanager
def answering(status):
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append((self.path, self.headers["Host"], self.headers["X-Forwarded-Proto"]))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_):
            pass

    asked = []
    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        yield server.server_port, asked
        thread.join()


@pytest.mark.parametrize(("status", "said"), [(200, ""), (400, "/healthz answers 400")])
def test_a_web_process_is_asked_as_the_site_is_reached(capsys, settings, status, said):
    settings.ALLOWED_HOSTS, settings.HTTPS = ["*", ".site.example"], True
    with answering(status) as (settings.PORT, asked):
        assert why_dead(capsys, "web") == said
    assert asked == [("/healthz", "site.example", "https")]


def test_where_nothing_listens_the_web_is_dead(capsys, settings):
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        settings.PORT = server.server_port
    assert "refused" in why_dead(capsys, "web")


def test_the_site_itself_takes_such_a_question(client, settings):
    settings.ALLOWED_HOSTS, settings.SECURE_SSL_REDIRECT = ["site.example"], True
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    headers = {"Host": "site.example", "X-Forwarded-Proto": "https"}
    assert client.get("/healthz", headers=headers).status_code == 200
    assert client.get("/healthz", headers={"Host": "site.example"}).status_code == 301
    assert client.get("/healthz").status_code == 400


def test_every_service_of_the_file_for_containers_has_a_check_that_is_one():
    services = COMPOSE["services"]
    assert {name for name, service in services.items() if "healthcheck" not in service} == (
        ENDS_BY_ITSELF
    )
    asked = {}
    for name, service in services.items():
        test = service.get("healthcheck", {}).get("test", [])
        if "manage.py" in test:
            start = test.index("pexec")
            parsed = Command().create_parser("manage.py", "pexec").parse_args(test[start + 1 :])
            assert shlex.join(test[:start]) == "CMD python manage.py"
            asked[name] = parsed.part
    assert asked == {"web": "web", "dispatcher": "dispatcher", "worker": "worker"}
    for name in asked:
        assert services[name]["healthcheck"].keys() >= {"interval", "timeout", "start_period"}
