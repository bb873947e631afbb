"""Celery's part of a worker lives on whatever becomes of Redis."""

import logging

import kombu
import pytest
from django.conf import settings

from pexec_site.celery import app


@pytest.fixture
def unacknowledged(bus):
    """A message taken from a queue over a connection that is lost before it is acknowledged."""
    url = settings.REDIS_URL.replace("unix://", "redis+socket://", 1)
    options = {"global_keyprefix": bus._prefix}
    with kombu.Connection(url, transport_options=options) as connection:
        channel = connection.channel()
        queue = kombu.Queue("lanes", channel=channel)
        queue.declare()
        kombu.Producer(channel).publish({}, routing_key="lanes")
        message = queue.get()
    channel._disconnect_pools()  # as its connection's end does, some time later
    return message


def test_an_acknowledgement_that_comes_too_late_ends_no_worker(unacknowledged, recwarn):
    worker = app.Worker(hostname="w@x", pool_cls="solo", without_gossip=True)
    with pytest.raises(AttributeError):
        unacknowledged.ack()
    log = logging.getLogger(__name__)
    unacknowledged.ack_log_error(log, worker.consumer.connection_errors)
