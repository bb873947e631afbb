"""Where the embedded Redis listens: beside the rest, or where the path is short enough."""

import os
import stat

import pytest
from django.core.exceptions import ImproperlyConfigured

from pexec_site.settings import SOCKET_PATH_BYTES, redis_socket


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def deep(directory, size):
    """A directory below whose `redis.sock` has a path of so many bytes."""
    missing = size - len(os.fsencode(directory / "redis.sock")) - 1
    return directory / ("d" * missing)


def test_the_socket_lies_in_var_as_long_as_its_path_fits(temporary):
    var = deep(temporary, SOCKET_PATH_BYTES)
    assert redis_socket(var) == var / "redis.sock"


def test_a_clone_that_lies_too_deep_gets_a_short_path_of_its_own(temporary):
    var = deep(temporary, SOCKET_PATH_BYTES + 1)
    found = redis_socket(var)
    assert found == redis_socket(var)
    assert found != redis_socket(var / "other")
    assert found.parent.parent == temporary
    assert stat.S_IMODE(found.parent.stat().st_mode) == 0o700


def test_a_directory_that_others_may_enter_is_refused(temporary):
    var = deep(temporary, SOCKET_PATH_BYTES + 1)
    redis_socket(var).parent.chmod(0o755)
    with pytest.raises(ImproperlyConfigured, match="open to others"):
        redis_socket(var)


def test_a_link_in_its_place_is_refused(temporary):
    var = deep(temporary, SOCKET_PATH_BYTES + 1)
    directory = redis_socket(var).parent
    directory.rmdir()
    (temporary / "elsewhere").mkdir(mode=0o700)
    directory.symlink_to(temporary / "elsewhere")
    with pytest.raises(ImproperlyConfigured, match="open to others"):
        redis_socket(var)
