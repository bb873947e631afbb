"""The same throughput on PostgreSQL: a cluster of its own that is as durable as it comes."""

from __future__ import annotations

import os

from bench import throughput
from bench.tables import Missing, Subject
from tests import postgres


def measure() -> Subject:
    """As `bench.throughput` measures it."""
    if postgres.programs() is None:
        raise Missing("no PostgreSQL here: apt-get install postgresql")
    with postgres.cluster(durable=True) as cluster:
        os.environ["DATABASE_URL"] = cluster.url
        return throughput.measure()
