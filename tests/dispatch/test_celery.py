"""Celery's part of a worker lives on whatever becomes of Redis."""

import logging

import kombu
import pytest
from django.conf import settings
from kombu.common import ignore_errors

import pexec_site.celery  # noqa: F401 (teaches kombu)


@pytest.fixture
def connection(bus):
    url = settings.REDIS_URL.replace("unix://", "redis+socket://", 1)
    options = {"global_keyprefix": bus._prefix}
    with kombu.Connection(url, transport_options=options) as found:
        yield found


@pytest.fixture
def unacknowledged(connection):
    """A message taken from a queue, and not acknowledged."""
    queue = kombu.Queue("lanes", channel=connection.default_channel)
    queue.declare()
    kombu.Producer(connection.default_channel).publish({}, routing_key="lanes")
    return queue.get()


def test_an_acknowledgement_that_comes_too_late_ends_no_worker(connection, unacknowledged):
    connection.close()
    unacknowledged.channel._disconnect_pools()  # as its connection's end does, some time later
    log = logging.getLogger(__name__)
    unacknowledged.ack_log_error(log, connection.connection_errors)
    assert not unacknowledged.acknowledged


def test_a_message_that_cannot_be_given_back_ends_no_worker(connection, unacknowledged):
    """Celery closes a connection that it has given up: what is left is closed without it."""
    connection.transport.client = None
    unacknowledged.channel._disconnect_pools()
    ignore_errors(connection, connection.close)
    assert not connection.connected
