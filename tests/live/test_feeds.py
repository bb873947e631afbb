"""Many pages of one thing: heard once, told alike, and nobody waits for who does not read."""

import asyncio
import json

import pytest
from channels.layers import get_channel_layer

from executions import consumers, frames
from executions.watching.feeds import Feed, feeds
from tests.live import test_sockets
from tests.live.test_sockets import WAIT_S, closed_with, opened, path_of, socket, told

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("redis_server")]
site, viewer, execution = test_sockets.site, test_sockets.viewer, test_sockets.execution


def delta(seq, tasks=None):
    return frames.delta(seq=seq, now=float(seq), execution={}, tasks=tasks or {}, demands={})


async def say(execution, frame):
    event = {"type": "frame", "text": frames.encoded(frame)}
    await get_channel_layer().group_send(f"execution.{execution.pk}", event)


def subscribers(group):
    layer = get_channel_layer()
    return len(layer.groups.get(layer._get_group_channel_name(group), ()))


async def test_many_pages_are_one_subscriber_and_the_last_to_leave_ends_it(viewer, execution):
    group = f"execution.{execution.pk}"
    pages = [await opened(path_of(execution), viewer) for _ in range(5)]
    for page in pages:
        assert (await told(page))["type"] == "snapshot"
    assert subscribers(group) == 1
    await say(execution, delta(1))
    for page in pages:
        assert await told(page) == delta(1)
        await page.disconnect()
    assert subscribers(group) == 0
    assert not feeds._open


async def test_who_breaks_off_while_it_is_let_in_leaves_nothing(viewer, execution):
    for _ in range(5):
        page = socket(path_of(execution), viewer)
        await page.send_input({"type": "websocket.connect"})
        assert (await page.receive_output(WAIT_S))["type"] == "websocket.accept"
        await page.send_input({"type": "websocket.disconnect", "code": 1006})
        await page.wait(WAIT_S)
    page = await opened(path_of(execution), viewer)
    page.future.cancel()  # as Daphne does with an application that takes too long to end
    await asyncio.wait([page.future])
    assert not feeds._open


async def opened_and_deaf(path, client):
    """Takes three messages (that it is in, the snapshot and one more), then no other."""
    page = socket(path, client)
    page._output_queue = asyncio.Queue(maxsize=2)
    is_in, _ = await page.connect(timeout=WAIT_S)
    assert is_in
    return page


async def test_who_does_not_read_is_closed_and_others_are_told_meanwhile(
    viewer, execution, monkeypatch
):
    monkeypatch.setattr(consumers, "SEND_LIMIT_S", 0.3)
    is_closed, close = asyncio.Event(), consumers.WatchConsumer.close

    async def seen_to_close(consumer, *args):
        is_closed.set()
        await close(consumer, *args)

    monkeypatch.setattr(consumers.WatchConsumer, "close", seen_to_close)
    deaf = await opened_and_deaf(path_of(execution), viewer)
    page = await opened(path_of(execution), viewer)
    await told(page)
    for seq in range(1, 6):
        await say(execution, delta(seq))
        assert await told(page) == delta(seq)
    await asyncio.wait_for(is_closed.wait(), WAIT_S)
    assert [(await told(deaf))["type"] for _ in range(2)] == ["snapshot", "delta"]
    assert await closed_with(deaf) == consumers.TOO_SLOW
    for one in (deaf, page):
        await one.disconnect()


async def test_what_is_heard_while_telling_goes_out_as_one_frame(execution):
    class Page:
        def __init__(self):
            self.news = asyncio.Queue()

        def tell(self, news):
            self.news.put_nowait(news)

    page, group = Page(), f"execution.{execution.pk}"
    await feeds.join(group, page)
    [key] = feeds._open
    feed = feeds._open[key]
    texts = [frames.encoded(delta(n, {n: {"state": "running"}})) for n in (1, 2, 3)]
    feed._heard += texts
    feed._has_heard.set()
    news = await asyncio.wait_for(page.news.get(), WAIT_S)
    assert [json.loads(text) for text in news.messages] == [news.frame]
    assert (news.seq, news.frame["first"], sorted(news.frame["tasks"])) == (3, 1, ["1", "2", "3"])
    await say(execution, delta(4))
    alone = await asyncio.wait_for(page.news.get(), WAIT_S)
    assert alone.messages == [frames.encoded(delta(4))]
    await feeds.leave(group, page)
    assert subscribers(group) == 0


async def test_news_that_nobody_can_read_do_not_end_those_that_follow(viewer, execution):
    page = await opened(path_of(execution), viewer)
    await told(page)
    for text in ("of another release", '{"type": "news"}', "[]"):
        event = {"type": "frame", "text": text}
        await get_channel_layer().group_send(f"execution.{execution.pk}", event)
    await say(execution, delta(1))
    assert await told(page) == delta(1)
    await page.disconnect()


async def test_a_feed_that_could_not_open_is_not_kept(execution, monkeypatch):
    group = f"execution.{execution.pk}"
    real = Feed._open

    async def refused(_feed):
        raise ConnectionError

    monkeypatch.setattr(Feed, "_open", refused)
    first, second = object(), object()
    with pytest.raises(ConnectionError):
        await feeds.join(group, first)
    monkeypatch.setattr(Feed, "_open", real)
    await feeds.join(group, second)
    assert subscribers(group) == 1
    await feeds.leave(group, first)
    assert subscribers(group) == 1
    await feeds.leave(group, second)
    assert subscribers(group) == 0
    assert not feeds._open
