"""Sockets: who gets in, what they are told first, and what happens to those who misbehave."""

import asyncio
import json

import pytest
from channels.db import database_sync_to_async
from channels.layers import get_channel_layer
from channels.testing import WebsocketCommunicator
from django.conf import settings

from executions import consumers, frames, services
from executions.models import Execution, TaskGroup, Team
from pexec_site.asgi import application
from tests.web.conftest import VIEWER, person, spec

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("redis_server"),
]
WAIT_S = 5


@pytest.fixture
def site(transactional_db):
    Team.objects.update_or_create(name="dev_team", defaults={"max_parallel": 10})


@pytest.fixture
def viewer(site):
    return person("viewer", *VIEWER)


@pytest.fixture
def execution(site):
    return services.execution_submit(user=None, spec=spec())


def socket(path, client=None, origin="http://localhost"):
    cookie = client.cookies[settings.SESSION_COOKIE_NAME].value if client else ""
    headers = [
        (b"origin", origin.encode()),
        (b"host", b"localhost"),
        (b"cookie", f"{settings.SESSION_COOKIE_NAME}={cookie}".encode()),
    ]
    return WebsocketCommunicator(application, path, headers=headers)


async def opened(path, client, origin="http://localhost"):
    made = socket(path, client, origin)
    is_in, _ = await made.connect(timeout=WAIT_S)
    assert is_in
    return made


async def told(made):
    return json.loads(await made.receive_from(timeout=WAIT_S))


async def closed_with(made):
    message = await made.receive_output(timeout=WAIT_S)
    assert message["type"] == "websocket.close"
    return message["code"]


def path_of(execution):
    return f"/ws/executions/{execution.public_id}/"


async def test_the_first_frame_is_all_of_the_execution(viewer, execution):
    made = await opened(path_of(execution), viewer)
    frame = await told(made)
    assert frame["type"] == "snapshot"
    assert frame["execution"]["id"] == execution.public_id
    assert [(t["id"], t["depends_on"], t["level"]) for t in frames.tasks_of(frame)] == [
        ("build", [], 0),
        ("test", [0], 1),
    ]
    await made.disconnect()


async def test_what_the_dispatcher_sends_arrives_after_it(viewer, execution):
    made = await opened(path_of(execution), viewer)
    await told(made)
    delta = frames.delta(seq=1, now=1.0, execution={}, tasks={0: {"state": "running"}}, demands={})
    event = {"type": "frame", "text": frames.encoded(delta)}
    await get_channel_layer().group_send(f"execution.{execution.pk}", event)
    assert await told(made) == delta
    await made.disconnect()


async def test_who_asks_again_gets_the_present(viewer, execution):
    made = await opened(path_of(execution), viewer)
    await told(made)
    await database_sync_to_async(Execution.objects.filter(pk=execution.pk).update)(seq=7)
    await made.send_to(text_data='{"type":"resync"}')
    frame = await told(made)
    assert (frame["type"], frame["seq"]) == ("snapshot", 7)
    await made.disconnect()


async def test_nobody_is_turned_away(execution):
    made = await opened(path_of(execution), None)
    assert await closed_with(made) == consumers.NOT_SIGNED_IN


async def test_a_stranger_finds_nothing(site, execution):
    stranger = await database_sync_to_async(person)("stranger")
    made = await opened(path_of(execution), stranger)
    assert await closed_with(made) == consumers.NOT_FOUND


async def test_an_execution_that_is_not_there_is_not_found(viewer):
    made = await opened("/ws/executions/PEXEC-1/", viewer)
    assert await closed_with(made) == consumers.NOT_FOUND


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({"text_data": "x" * (consumers.MESSAGE_LIMIT_BYTES + 1)}, consumers.TOO_BIG),
        ({"text_data": "not json"}, consumers.UNSUPPORTED),
        ({"text_data": "[1]"}, consumers.UNSUPPORTED),
        ({"text_data": "[" * 4000}, consumers.UNSUPPORTED),
        ({"bytes_data": b"\x00"}, consumers.UNSUPPORTED),
    ],
)
async def test_nonsense_closes_the_socket(viewer, execution, message, code):
    made = await opened(path_of(execution), viewer)
    await told(made)
    await made.send_to(**message)
    assert await closed_with(made) == code


async def test_a_message_at_the_limit_is_taken(viewer, execution):
    made = await opened(path_of(execution), viewer)
    await told(made)
    text = '{"type":"resync","x":""}'
    text = text[:-2] + "y" * (consumers.MESSAGE_LIMIT_BYTES - len(text)) + '"}'
    assert len(text) == consumers.MESSAGE_LIMIT_BYTES
    await made.send_to(text_data=text)
    assert (await told(made))["type"] == "snapshot"
    await made.disconnect()


async def test_a_frame_that_was_lost_for_good_is_made_up_for(viewer, execution, monkeypatch):
    monkeypatch.setattr(consumers, "CATCH_UP_EVERY_S", 0.05)
    made = await opened(path_of(execution), viewer)
    first = await told(made)
    lost = first["seq"] + 1
    changed = Execution.objects.filter(pk=execution.pk)
    await database_sync_to_async(changed.update)(seq=lost, state="completed")
    again = await told(made)
    assert (again["type"], again["seq"]) == ("snapshot", lost)
    assert again["execution"]["state"] == "completed"
    assert await made.receive_nothing(timeout=0.3)  # once is enough
    await made.disconnect()


async def test_who_does_not_read_is_closed_not_buffered_for(viewer, execution, monkeypatch):
    made = await opened(path_of(execution), viewer)
    snapshot = await made.receive_from(timeout=WAIT_S)
    monkeypatch.setattr(consumers, "UNSEEN_LIMIT_BYTES", len(snapshot) + 1000)
    event = {"type": "frame", "text": json.dumps({"type": "delta", "seq": 1, "pad": "x" * 600})}
    await made.send_to(text_data='{"type":"seen"}')
    await made.send_to(text_data='{"type":"resync"}')  # answered in order: `seen` was taken
    await told(made)
    await get_channel_layer().group_send(f"execution.{execution.pk}", event)
    await told(made)
    await get_channel_layer().group_send(f"execution.{execution.pk}", event)
    assert await closed_with(made) == consumers.TOO_SLOW


async def test_who_asks_for_all_again_and_reads_none_is_closed_too(viewer, execution, monkeypatch):
    monkeypatch.setattr(consumers, "RESYNC_EVERY_S", 0.0)
    made = await opened(path_of(execution), viewer)
    snapshot = await made.receive_from(timeout=WAIT_S)
    monkeypatch.setattr(consumers, "UNSEEN_LIMIT_BYTES", 2 * len(snapshot) + 100)
    await made.send_to(text_data='{"type":"resync"}')
    await told(made)
    await made.send_to(text_data='{"type":"resync"}')
    assert await closed_with(made) == consumers.TOO_SLOW


async def test_the_dashboard_tells_only_of_what_one_may_see(viewer, execution):
    hidden = await database_sync_to_async(_hidden_execution)()
    made = await opened("/ws/dashboard/", viewer)
    frame = await told(made)
    assert set(frame["executions"]) == {str(execution.pk)}
    assert frame["limits"]["team:dev_team"][1] == 10
    rows = {pk: {"state": "running"} for pk in (execution.pk, hidden.pk)}
    delta = frames.dashboard_delta(seq=4, now=1.0, executions=rows, limits={})
    await get_channel_layer().group_send(
        "dashboard", {"type": "frame", "text": frames.encoded(delta)}
    )
    assert set((await told(made))["executions"]) == {str(execution.pk)}
    await made.disconnect()


def _hidden_execution():
    group = services.group_save(spec=spec("secret"), user=None)
    TaskGroup.objects.get(pk=group.pk).owning_teams.add(Team.objects.get(name="dev_team"))
    return services.execution_submit(user=None, group=group)


async def test_twenty_sockets_leave_no_task_behind(viewer, execution):
    before = len(asyncio.all_tasks())
    for _ in range(20):
        made = await opened(path_of(execution), viewer)
        await told(made)
        await made.disconnect()
    await asyncio.sleep(0)
    assert len(asyncio.all_tasks()) <= before + 2
