"""Guesses of passwords: who is stopped, and who is not along with them."""

import pytest
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.auth import get_user_model
from django.utils import timezone

pytestmark = pytest.mark.django_db
LIMIT = settings.AXES_FAILURE_LIMIT
RIGHT = "the right one"


@pytest.fixture(autouse=True)
def people(db):
    for name in ("chief", "clerk"):
        get_user_model().objects.create_user(name, password=RIGHT)


def sign_in(client, name, password=RIGHT, address="203.0.113.1"):
    """302: signed in; 200: wrong; 429: stopped."""
    given = {"username": name, "password": password}
    return client.post("/login/", given, REMOTE_ADDR=address).status_code


def guessed(name, address, times):
    """So many wrong passwords, a moment ago."""
    AccessAttempt.objects.create(
        username=name,
        ip_address=address,
        user_agent="x",
        failures_since_start=times,
        attempt_time=timezone.now(),
    )


def test_a_name_guessed_at_from_one_address_is_stopped_there_and_nowhere_else(client):
    for n in range(LIMIT):
        sign_in(client, "chief", f"guess {n}")
    assert sign_in(client, "chief") == 429
    assert sign_in(client, "clerk") == 302  # the same office
    assert sign_in(client, "chief", address="203.0.113.2") == 302


def test_a_name_guessed_at_from_many_addresses_is_stopped_for_all(client):
    for n in range(10):
        guessed("chief", f"198.51.100.{n}", LIMIT - 2 * (n == 0))
    assert sign_in(client, "chief", "one more") == 200
    guessed("chief", "198.51.100.10", 1)
    assert sign_in(client, "chief") == 429
    assert sign_in(client, "clerk") == 302


def test_an_address_that_tries_many_names_is_stopped_for_all(client):
    for n in range(10 * LIMIT):
        guessed(f"name-{n}", "203.0.113.1", 1)
    assert sign_in(client, "chief") == 429
    assert sign_in(client, "chief", address="203.0.113.2") == 302


def test_who_goes_on_while_stopped_does_not_stop_the_name_elsewhere(client):
    for n in range(LIMIT + 5):
        sign_in(client, "chief", f"guess {n}")
    found = AccessAttempt.objects.values_list("failures_since_start", flat=True)
    assert list(found) == [LIMIT]
