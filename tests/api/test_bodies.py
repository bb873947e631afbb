"""Only where a spec comes over REST may a body be large."""

import re

from executions.api.bodies import SMALL_BODY_BYTES, largest_body
from executions.api.urls import v1
from executions.pages.urls import urlpatterns
from executions.specs import LARGE_SPEC_BYTES

TAKE_SPECS = {"api-groups", "api-group", "api-executions"}


def address(start, pattern):
    return start + re.sub(r"<[^>]+>", "7", str(pattern))


def test_only_what_takes_specs_over_rest_takes_large_bodies():
    rest = {route.name: largest_body(address("/api/v1/", route.pattern)) for route in v1}
    assert {name for name, size in rest.items() if size == LARGE_SPEC_BYTES} == TAKE_SPECS
    pages = {largest_body(address("/", route.pattern)) for route in urlpatterns}
    assert {*rest.values(), *pages} == {SMALL_BODY_BYTES, LARGE_SPEC_BYTES}
    assert pages == {SMALL_BODY_BYTES}
