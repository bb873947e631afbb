"""Nobody may keep the others from being served."""

import pytest
from django.core.cache import cache
from rest_framework.throttling import SimpleRateThrottle

from tests.api.conftest import client_of, member
from tests.api.document import DocumentedClient

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def three_a_minute(monkeypatch):
    monkeypatch.setattr(SimpleRateThrottle, "THROTTLE_RATES", {"anon": "3/min", "user": "3/min"})
    cache.clear()
    yield
    cache.clear()


def test_who_asks_too_often_is_told_when_to_ask_again_and_others_are_served():
    busy, other = client_of(member("viewer", "busy")), client_of(member("viewer", "other"))
    assert [busy.get("/api/v1/executions/").status_code for _ in range(4)] == [200, 200, 200, 429]
    refused = busy.get("/api/v1/executions/")
    assert refused["Content-Type"] == "application/problem+json"
    assert 0 < int(refused["Retry-After"]) <= 60
    assert other.get("/api/v1/executions/").status_code == 200


def test_strangers_are_counted_too():
    codes = [DocumentedClient().get("/api/v1/schema/task-group.json").status_code for _ in range(4)]
    assert codes[-1] == 429
    assert 429 not in codes[:3]
