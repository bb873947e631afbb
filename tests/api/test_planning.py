"""A better order found before a run is what the run is dispatched by."""

import pytest

from executions import services, specs
from executions.models import Execution
from executions.models.snapshots import group_of, site_limits
from executions.scheduling.conditions import Conditions
from executions.scheduling.graph import demand_numbers
from tests.api.conftest import person

pytestmark = pytest.mark.django_db

HELD_BACK = """
name: g
max_concurrency: 9
planning: {planning}
resources: {{db: {{capacity: 2}}}}
tasks:
  - {{id: A, runner: sleep, duration_s: 2, required_resources: [{{id: db}}]}}
  - {{id: B, runner: sleep, duration_s: 8, required_resources: [{{id: db}}]}}
  - {{id: C, runner: sleep, duration_s: 8, depends_on: [A],
     required_resources: [{{id: db, amount: 2}}]}}
  - {{id: D, runner: sleep, duration_s: 8, depends_on: [C], required_resources: [{{id: db}}]}}
"""


def submitted(text: str) -> Execution:
    spec = specs.parse(text)
    return services.execution_submit(user=person("ann", "define_group", "run_sleep"), spec=spec)


def test_ranks_and_holds_are_kept_with_the_execution():
    execution = submitted(HELD_BACK.format(planning="on"))
    rows = list(execution.task_runs.order_by("position"))
    group = group_of(Execution.objects.get(pk=execution.pk), rows)
    assert group.holds == {"B": 10.0}
    assert {row.task_id: row.demand for row in rows} == demand_numbers(group)
    result = Conditions(group, site_limits()).run()
    assert result.makespan_s == execution.plan["makespan_s"] == 18


def test_without_planning_the_plain_rule_decides():
    execution = submitted(HELD_BACK.format(planning="off"))
    assert execution.plan == {}
    assert set(execution.task_runs.values_list("rank", flat=True)) == {None}


def test_a_short_run_starts_without_a_search():
    execution = submitted(HELD_BACK.format(planning="on").replace("duration_s: 8", "duration_s: 1"))
    assert execution.plan == {}
