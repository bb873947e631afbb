"""Schedules are good on random instances of many shapes, not only on those that were tuned to."""

import pytest

from bench.generality import means
from bench.instances import resource_instances, team_instances


@pytest.mark.parametrize("instances", [resource_instances, team_instances])
def test_the_live_rule_is_as_good_as_plain_ones_and_a_plan_better(instances):
    found = means(instances(30, 1), schedules=60)
    assert 1 <= found["planned"] < found["live"] <= found["chain"] * 1.002
    assert found["live"] < found["listed"]
