"""What every test may use: a real Redis, on the socket that the settings name."""

import subprocess
from pathlib import Path

import pytest
import redis

from executions.management.embedded_redis import redis_command
from tests.environment import VAR
from tests.postgres import postgres

__all__ = ["postgres", "redis_server"]


@pytest.fixture(scope="session")
def redis_server():
    socket = f"{VAR}/redis.sock"
    with subprocess.Popen(
        [*redis_command(socket, Path(VAR)), "--appendonly", "no"],
        stdout=subprocess.DEVNULL,
    ) as process:
        client = redis.Redis(unix_socket_path=socket, retry_on_error=[redis.ConnectionError])
        while not Path(socket).exists() or not client.ping():
            assert process.poll() is None
        client.close()
        yield socket
        process.terminate()
