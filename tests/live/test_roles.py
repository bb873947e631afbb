"""Every socket for every role: the answer is written down; a new socket without one fails."""

from importlib import import_module

import pytest
from channels.db import database_sync_to_async
from django.apps import apps
from django.contrib.auth.models import Group

from executions import consumers
from pexec_site.asgi import websocket_urlpatterns
from tests.live import test_sockets
from tests.live.test_sockets import closed_with, opened, path_of, told
from tests.web.conftest import person

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("redis_server")]
site, execution = test_sockets.site, test_sockets.execution

ROLES = ("nobody", "stranger", "viewer", "operator", "author", "runner admin", "administrator")
IN = "snapshot"
ANSWERS = {
    "ExecutionConsumer": (consumers.NOT_SIGNED_IN, consumers.NOT_FOUND, IN, IN, IN, IN, IN),
    "DashboardConsumer": (consumers.NOT_SIGNED_IN, IN, IN, IN, IN, IN, IN),
}


@pytest.fixture(autouse=True)
def roles(transactional_db):
    """As the migration makes them; what a test in transactions leaves behind is nothing."""
    import_module("executions.migrations.0003_roles").make(apps, None)


def asker(role):
    if role == "nobody":
        return None
    client = person(f"{role} who asks")
    if role != "stranger":
        client.user.groups.add(Group.objects.get(name=role))
    return client


def paths(execution):
    return {"ExecutionConsumer": path_of(execution), "DashboardConsumer": "/ws/dashboard/"}


@pytest.mark.parametrize("role", ROLES)
async def test_each_role_gets_the_answer_written_down(role, execution):
    client = await database_sync_to_async(asker)(role)
    for name, path in paths(execution).items():
        made = await opened(path, client)
        expected = ANSWERS[name][ROLES.index(role)]
        if expected == IN:
            frame = await told(made)
            assert frame["type"] == IN
            sees = name == "ExecutionConsumer" or str(execution.pk) in frame["executions"]
            assert sees == (role != "stranger")
            await made.disconnect()
        else:
            assert await closed_with(made) == expected


def test_every_socket_has_its_answers():
    served = {p.callback.consumer_class.__name__ for p in websocket_urlpatterns}
    assert served == ANSWERS.keys()
