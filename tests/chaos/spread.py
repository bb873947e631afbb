"""A site over several hosts: Redis, and PostgreSQL, on their own, others where they are put."""

from __future__ import annotations

import getpass
import os
from pathlib import Path

from django.db import connection

from tests.chaos import network
from tests.chaos.site import Site
from tests.postgres import Cluster

PLACES = "ab"
"""Hosts that workers and dispatchers are cut off with."""


def cluster() -> Cluster:
    """The drill's PostgreSQL, to be started where it belongs."""
    home = Path(os.environ["DRILL_POSTGRES"])
    if not network.is_made():
        return Cluster(home)
    return Cluster(home, network.address("database"), within=network.within("database"))


def cuts() -> list[tuple[str, ...]]:
    """What a host can be cut off from: SQLite is a file, that every host sees."""
    if connection.vendor == "sqlite":
        return [("redis",)]
    return [("redis",), ("database",), ("redis", "database")]


def spread(site: Site) -> None:
    """End the site; Redis starts anew on a host of its own, and so does PostgreSQL."""
    site.stop()
    place = network.address("redis")
    site.env |= {"REDIS_URL": f"redis://{place}:6379/0"}
    site.within |= {"redis": network.within("redis"), "web": network.within("router")}
    site.redis_options = ("--port", "6379", "--bind", place, "--protected-mode", "no")
    site.start_redis()
    if connection.vendor == "postgresql":
        connection.close()
        found = cluster()
        found.stop()
        with (found.data / "pg_hba.conf").open("a") as file:
            file.write("host all all 10.71.0.0/16 trust\n")
        found.start()
        url = f"postgres://{getpass.getuser()}@{network.address('database')}:5432/pexec"
        site.env |= {"DATABASE_URL": url}


def start(site: Site, kind: str, host: str, **env: str) -> str:
    """Start a worker or a dispatcher on a host; its name."""
    name = f"{site.new_name(kind)}-{host}"
    site.within[name] = network.within(host)
    begin = site.start_worker if kind == "worker" else site.start_dispatcher
    return begin(name=name, **env)


def host_of(name: str) -> str:
    """Where a process of the site was put."""
    return name.rpartition("-")[2]
