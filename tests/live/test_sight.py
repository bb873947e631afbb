"""Who may watch, and for how long: sockets of other origins, and of people who may no more."""

import pytest
from channels.db import database_sync_to_async
from channels.layers import get_channel_layer
from django.contrib.auth.models import Permission

from executions import consumers, frames, services
from executions.models import TaskGroup, Team
from pexec_site.origins import is_own_origin
from tests.live import test_sockets
from tests.live.test_sockets import WAIT_S, closed_with, opened, path_of, socket, told
from tests.web.conftest import spec

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("redis_server")]
site, viewer, execution = test_sockets.site, test_sockets.viewer, test_sockets.execution


@pytest.fixture
def looked_again(monkeypatch):
    """Not every half minute."""
    monkeypatch.setattr(consumers.WatchConsumer, "recheck_s", 0.05)


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "null",
        "http://evil.example",
        "http://localhost:3000",
        "https://localhost.evil.example",
        "http://localhost:x",
    ],
)
async def test_another_origin_is_refused_also_one_of_another_port(viewer, execution, origin):
    made = socket(path_of(execution), viewer, origin)
    is_in, _ = await made.connect(timeout=WAIT_S)
    assert not is_in


@pytest.mark.parametrize(
    ("origin", "host", "is_own"),
    [
        ("http://localhost:8000", "localhost:8000", True),
        ("https://localhost", "localhost:443", True),
        ("http://LOCALHOST:8000", "localhost:8000", True),
        ("http://[::1]:8000", "[::1]:8000", True),
        ("https://pexec.example", "127.0.0.1:8000", True),
        ("https://a.pexec.test", "localhost", True),
        ("http://a.pexec.test", "localhost", False),
        ("http://evil.example", "evil.example", False),
        ("http://x@", "x@", False),
    ],
)
def test_origins_are_the_hosts_own_or_trusted_as_for_forms(settings, origin, host, is_own):
    settings.CSRF_TRUSTED_ORIGINS = ["https://pexec.example", "https://*.pexec.test"]
    assert is_own_origin(origin, host) == is_own


def gone(user):
    user.is_active = False
    user.save()


def without_right(user):
    user.user_permissions.remove(Permission.objects.get(codename="view_execution"))


def with_other_password(user):
    user.set_password("another one")
    user.save()


LOSSES = {
    "signed out": lambda client: client.logout(),
    "made inactive": lambda client: gone(client.user),
    "deleted": lambda client: client.user.delete(),
    "without the right": lambda client: without_right(client.user),
    "with another password": lambda client: with_other_password(client.user),
}


@pytest.mark.usefixtures("looked_again")
@pytest.mark.parametrize("loss", LOSSES)
async def test_who_may_no_more_is_closed_and_told_nothing_after(viewer, execution, loss):
    made = await opened(path_of(execution), viewer)
    await told(made)
    await database_sync_to_async(LOSSES[loss])(viewer)
    assert await closed_with(made) == consumers.NOT_FOUND
    event = {"type": "frame", "text": frames.encoded({"type": "delta", "seq": 1})}
    await get_channel_layer().group_send(f"execution.{execution.pk}", event)
    await made.send_to(text_data='{"type":"resync"}')
    await made.send_to(text_data='{"type":"watch_forecast"}')
    assert await made.receive_nothing(timeout=0.3)


def test_the_look_comes_within_half_a_minute():
    assert consumers.RECHECK_S + consumers.CATCH_UP_EVERY_S <= 30


@pytest.mark.usefixtures("looked_again")
async def test_who_signed_out_loses_the_dashboard_too(viewer, execution):
    made = await opened("/ws/dashboard/", viewer)
    await told(made)
    await database_sync_to_async(viewer.logout)()
    assert await closed_with(made) == consumers.NOT_FOUND


async def test_output_is_asked_for_only_by_who_may_see_it_then(viewer, execution):
    made = await opened(path_of(execution), viewer)
    await told(made)
    await database_sync_to_async(viewer.logout)()
    await made.send_to(text_data='{"type":"watch_output","task":"build"}')
    assert await closed_with(made) == consumers.NOT_FOUND


def of_team():
    """An execution for the members of a team."""
    group = services.group_save(spec=spec("secret"), user=None)
    TaskGroup.objects.get(pk=group.pk).owning_teams.add(Team.objects.get(name="dev_team"))
    return services.execution_submit(user=None, group=group)


@pytest.mark.usefixtures("looked_again")
async def test_a_dashboard_drops_and_gains_what_one_may_see(viewer, execution):
    theirs = await database_sync_to_async(of_team)()
    team = await database_sync_to_async(Team.objects.get)(name="dev_team")
    await database_sync_to_async(team.members.add)(viewer.user)
    made = await opened("/ws/dashboard/", viewer)
    assert set((await told(made))["executions"]) == {str(execution.pk), str(theirs.pk)}
    await database_sync_to_async(team.members.remove)(viewer.user)
    frame = await told(made)
    assert (frame["type"], set(frame["executions"])) == ("snapshot", {str(execution.pk)})
    delta = frames.dashboard_delta(
        seq=4, now=1.0, executions={theirs.pk: {"state": "running"}}, limits={}
    )
    event = {"type": "frame", "text": frames.encoded(delta)}
    await get_channel_layer().group_send("dashboard", event)
    assert (await told(made))["executions"] == {}
    await database_sync_to_async(team.members.add)(viewer.user)
    assert set((await told(made))["executions"]) == {str(execution.pk), str(theirs.pk)}
    await made.disconnect()
