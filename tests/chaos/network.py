"""Hosts that a drill makes: network namespaces around a router that can drop packets between two.

Nothing leaves them: they have no way to the machine's own network. The drill itself reaches Redis
and the database through their Unix sockets, which know no namespaces.
"""

from __future__ import annotations

import itertools
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

HOSTS = ("redis", "database", "a", "b")
"""Each is `10.71.N.2` behind the router's `10.71.N.1`."""
_NAME = re.compile(r"pexec-drill-(\d+)\.\d+-\w+")
_NUMBERS = itertools.count(1)


def why_no_network() -> str:
    """Why hosts cannot be made here; empty: they can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    return "" if shutil.which("ip") else "no `ip`: apt-get install iproute2"


def _ip(*words: str, check: bool = True) -> str:
    done = subprocess.run(["ip", *words], check=check, capture_output=True, text=True)
    return done.stdout


def is_made() -> bool:
    """Whether this drill has hosts."""
    return "DRILL_NETWORK" in os.environ


def _namespace(host: str, network: str = "") -> str:
    return f"pexec-drill-{network or os.environ['DRILL_NETWORK']}-{host}"


def address(host: str) -> str:
    """Where the others reach it."""
    return f"10.71.{HOSTS.index(host) + 1}.2"


def within(host: str) -> list[str]:
    """Put before a command, it runs on that host."""
    return _within(_namespace(host))


def _within(namespace: str) -> list[str]:
    return ["ip", "netns", "exec", namespace]


@contextmanager
def hosts(_var: Path) -> Iterator[dict[str, str]]:
    """The hosts and their router, until the end of the block."""
    _remove_stale()
    network = f"{os.getpid()}.{next(_NUMBERS)}"
    names = {host: _namespace(host, network) for host in ("router", *HOSTS)}
    try:
        router = _made(names["router"])
        for n, host in enumerate(HOSTS, start=1):
            namespace = _made(names[host])
            _ip("-n", router, "link", "add", f"to-{host}", "type", "veth",
                "peer", "name", "eth0", "netns", namespace)  # fmt: skip
            _ip("-n", router, "address", "add", f"10.71.{n}.1/24", "dev", f"to-{host}")
            _ip("-n", router, "link", "set", f"to-{host}", "up")
            _ip("-n", namespace, "address", "add", f"{address(host)}/24", "dev", "eth0")
            _ip("-n", namespace, "link", "set", "eth0", "up")
            _ip("-n", namespace, "route", "add", "default", "via", f"10.71.{n}.1")
        forward = "echo 1 > /proc/sys/net/ipv4/ip_forward"
        subprocess.run([*_within(router), "sh", "-c", forward], check=True)
        yield {"DRILL_NETWORK": network}
    finally:
        for name in names.values():
            _ip("netns", "delete", name, check=False)


def _made(namespace: str) -> str:
    _ip("netns", "add", namespace)
    _ip("-n", namespace, "link", "set", "lo", "up")
    return namespace


def _remove_stale() -> None:
    """What drills that were killed have left, with all that still runs there."""
    for found in _NAME.finditer(_ip("netns", "list")):
        if Path(f"/proc/{found[1]}").exists():
            continue
        for pid in _ip("netns", "pids", found[0], check=False).split():
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        _ip("netns", "delete", found[0], check=False)


@contextmanager
def cut(host: str, *others: str) -> Iterator[None]:
    """Until the end of the block no packet passes between a host and the others; none is told."""
    ways = [way for other in others for way in ((host, other), (other, host))]
    try:
        for source, target in ways:
            _rule("add", source, target)
        yield
    finally:
        for source, target in ways:
            _rule("delete", source, target)


def _rule(verb: str, source: str, target: str) -> None:
    router = _namespace("router")
    _ip("-n", router, "rule", verb, "from", address(source), "to", address(target), "blackhole")
