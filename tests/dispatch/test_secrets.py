"""A secret reaches the work that names it, and no table, message or log."""

import json
import re

import pytest
import redis
from django.apps import apps
from django.conf import settings

from executions.models import Attempt, AttemptOutput, Secret
from tests.dispatch.small_site import finish, states, submit

pytestmark = pytest.mark.django_db(transaction=True)

VALUE = "correct-horse-9471"
SAY = """
printf 'correct-'; sleep 0.3; printf 'horse-9471\\n'
echo "::progress 50 with $PASSWORD"
printf 'correct-\\033[1mhorse\\033[0m-9471\\n'
echo "{\\"echo\\": \\"$PASSWORD\\"}"
"""
LONG = """
printf '%01990d' 0
printf '%s' "$PASSWORD" >&2
exit 4
"""


@pytest.fixture
def secret(db):
    found = Secret(name="DB_PASSWORD")
    found.seal(VALUE)
    found.save()
    return found


def shell(task_id, command, **more):
    payload = {"command": command, "env": {"PASSWORD": "${secret:DB_PASSWORD}"}}
    return {"task_id": task_id, "runner": "shell", "payload": payload, **more}


def everything_kept():
    """All rows of all tables and all that Redis holds, as one text."""
    rows = [
        json.dumps([bytes(v).decode("latin1") if isinstance(v, bytes | memoryview) else str(v)
                    for v in row])
        for model in apps.get_models(include_auto_created=True)
        for row in model.objects.values_list()
    ]  # fmt: skip
    server = redis.Redis.from_url(settings.REDIS_URL)
    for key in server.scan_iter():
        kind = server.type(key)
        found = {
            b"string": server.get,
            b"list": lambda k: server.lrange(k, 0, -1),
            b"hash": server.hgetall,
            b"zset": lambda k: server.zrange(k, 0, -1),
            b"set": server.smembers,
            b"stream": server.xrange,
        }[kind](key)
        rows.append(str(found))
    return "\n".join(rows)


def test_the_work_gets_it_and_nothing_else_does(bus, dispatcher, worker, secret):
    execution = submit(
        bus,
        shell("WELL", "test ${#PASSWORD} = 18 || exit 9\n" + SAY),
        shell("LONG", LONG),
        shell("ILL", 'echo "refused for $PASSWORD" >&2; exit 3'),
        max_retries=0,
    )
    finish(execution)
    assert states(execution) == {"WELL": "completed", "LONG": "failed", "ILL": "failed"}
    assert execution.task_runs.get(task_id="WELL").result == {"echo": "***"}
    well = Attempt.objects.get(execution=execution, task_run__task_id="WELL")
    said = bytes(AttemptOutput.objects.get(attempt=well).head).decode()
    assert said.splitlines() == ["***", "::progress 50 with ***", "***", '{"echo": "***"}']
    assert well.progress_line == "with ***"
    assert execution.task_runs.get(task_id="LONG").error.endswith("0***")
    assert VALUE not in everything_kept()
    assert re.search("refused for \\*\\*\\*", everything_kept())


def test_a_secret_that_is_gone_or_sealed_with_another_key_fails_by_its_name(
    bus, dispatcher, worker, secret, settings
):
    settings.SECRET_KEY = "another key than the one before, long enough for all"
    execution = finish(submit(bus, shell("A", "true"), max_retries=0))
    assert "'DB_PASSWORD' was sealed with another key" in execution.task_runs.get().error
    secret.delete()
    execution = finish(submit(bus, shell("A", "true"), max_retries=0))
    assert "no secret 'DB_PASSWORD'" in execution.task_runs.get().error
