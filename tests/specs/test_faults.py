"""Every bad spec is told each fault with its place, and all of them at once."""

import json

import pytest

from executions import specs
from tests.specs.builders import check_payload, faults_of, group, site


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (group({"id": "A", "depends_on": ["Z"]}), "tasks[0].depends_on[0]: no task 'Z'"),
        (group({"id": "A", "depends_on": ["A"]}), "tasks[0].depends_on[0]: 'A' depends on itself"),
        (
            group({"id": "A"}, {"id": "A"}),
            "tasks[1].id: 'A' is already the id of tasks[0]",
        ),
        (
            group(
                {"id": "C"},
                {"id": "B", "depends_on": ["A"]},
                {"id": "A", "depends_on": ["B", "C"]},
            ),
            "tasks[1].depends_on: a cycle: B → A → B",
        ),
        (group({"id": "A", "team": "x"}), "tasks[0].team: no team 'x'"),
        (group({"id": "A", "task_type": "x"}), "tasks[0].task_type: no task type 'x'"),
        (group({"id": "A", "runner": "x"}), "tasks[0].runner: no runner 'x'"),
        (group({"id": "A", "runner": "shell"}), "tasks[0].payload.command: must be given"),
        (
            group({"id": "A", "required_resources": [{"id": "db", "amount": 3}]}),
            "tasks[0].required_resources[0].amount: needs 3 of 'db', which has 2 units",
        ),
        (
            group({"id": "A", "required_resources": [{"id": "q"}]}),
            (
                "tasks[0].required_resources[0].id: no resource 'q'; "
                "list it under resources to make it"
            ),
        ),
        (
            group({"id": "A", "required_resources": [{"id": "db"}, {"id": "db"}]}),
            "tasks[0].required_resources[1].id: 'db' is asked for more than once",
        ),
        (
            group({"id": "A", "priority": 101}),
            "tasks[0].priority: must be less than or equal to 100",
        ),
        (group({"id": "A", "priority": True}), "tasks[0].priority: must be a valid integer"),
        (
            group({"id": "A", "duration_s": -1}),
            "tasks[0].duration_s: must be greater than or equal to 0",
        ),
        (
            group({"id": "A", "duration_s": float("nan")}),
            "tasks[0].duration_s: must be a finite number",
        ),
        (group({"id": "A" * 101}), "tasks[0].id: must have at most 100 characters"),
        (group({"title": "no id"}), "tasks[0].id: must be given"),
        (group({"id": "a/b"}), "tasks[0].id: must match pattern '^\\w[\\w.:+@-]*$'"),
        (group({"id": "A", "colour": "red"}), "tasks[0].colour: unknown field"),
        (group(timeout_ms=0), "timeout_ms: must be greater than or equal to 1"),
        (group(name="n" * 201), "name: must have at most 200 characters"),
        (
            group(failure_strategy="hope"),
            "failure_strategy: must be 'continue_on_failure', 'fail_fast' or 'retry_failed'",
        ),
        (group(limits={"team": {"x": 1}}), "limits.team.x: no team 'x'"),
        (group(limits={"resource": {"x": 1}}), "limits.resource: unknown field"),
        (
            group(resources={"r": {"capacity": 0}}),
            "resources.r.capacity: must be greater than or equal to 1",
        ),
        ({"tasks": [{"id": "A"}]}, "name: must be given"),
        ({"name": "g"}, "tasks: must be given"),
        ("- just\n- a list", "must be a map"),
    ],
)
def test_a_fault_is_told_with_its_place(data, fault):
    assert faults_of(data, db=2) == {fault}


def test_every_fault_of_every_kind_is_told_at_once():
    data = group(
        {"id": "A", "depends_on": ["B", "Z"], "priority": 200, "team": "x"},
        {"id": "B", "depends_on": ["A"]},
        {"id": "B", "runner": "shell"},
        7,
        bogus=1,
    )
    assert {fault.split(": ")[0] for fault in faults_of(data)} == {
        "bogus",
        "tasks[0].priority",
        "tasks[0].depends_on[1]",
        "tasks[0].depends_on",
        "tasks[0].team",
        "tasks[2].id",
        "tasks[2].payload.command",
        "tasks[3]",
    }


@pytest.mark.parametrize("kind", ["yaml", "json"])
def test_what_no_spec_may_hold_hides_no_other_fault(kind):
    text = """{"name": "g", "name": "h", "colour": 1, "max_retries": .nan, "tasks": [
      {"id": "A", "duration_s": .nan, "depends_on": ["Z"], "priority": 101},
      {"id": "B", "runner": "shell", "payload": {"env": {"X": "\\u0000"}}},
      {"id": .inf, "team": "x"}, .nan, {"title": "no id"}]}"""
    if kind == "yaml":
        text = f"# flow style\n{text}"
    else:
        text = text.replace(".nan", "NaN").replace(".inf", "Infinity")
    told = {fault.partition(" (line")[0] for fault in faults_of(text)}
    assert told == {
        "key 'name' is given twice",
        "colour: unknown field",
        "max_retries: must be a finite number",
        "tasks[0].duration_s: must be a finite number",
        "tasks[0].depends_on[0]: no task 'Z'",
        "tasks[0].priority: must be less than or equal to 100",
        "tasks[1].payload.env.X: holds a NUL or half a character",
        "tasks[2].id: must be a finite number",
        "tasks[2].team: no team 'x'",
        "tasks[3]: must be a finite number",
        "tasks[4].id: must be given",
    }


def test_the_faults_of_a_table_are_told_at_once():
    text = "id,payload,depends_on,team,priority\nA,{,Z,x,high\n"
    assert {fault.partition(":")[0] for fault in faults_of(text)} == {
        "tasks[0].payload",
        "tasks[0].depends_on[0]",
        "tasks[0].team",
        "tasks[0].priority",
    }


def test_every_separate_cycle_is_named():
    data = group(
        {"id": "A", "depends_on": ["B"]},
        {"id": "B", "depends_on": ["A"]},
        {"id": "C", "depends_on": ["D"]},
        {"id": "D", "depends_on": ["C"]},
    )
    assert faults_of(data) == {
        "tasks[0].depends_on: a cycle: A → B → A",
        "tasks[2].depends_on: a cycle: C → D → C",
    }


def test_a_listed_unknown_resource_is_no_fault():
    need = {"id": "A", "required_resources": [{"id": "new", "amount": 2}]}
    assert faults_of(group(need, resources={"new": {"capacity": 2}})) == set()
    assert faults_of(group(need, resources={"new": {"capacity": 1}})) != set()


def test_a_closed_resource_makes_tasks_wait_and_is_no_fault():
    assert faults_of(group({"id": "A", "required_resources": [{"id": "db"}]}), db=0) == set()


def test_the_task_limit_holds_at_the_limit_and_one_beyond():
    def text(n):
        return json.dumps({"name": "g", "tasks": [{"id": f"t{i}"} for i in range(n)]})

    assert len(specs.parse(text(100_000), max_bytes=specs.LARGE_SPEC_BYTES).tasks) == 100_000
    with pytest.raises(specs.SpecInvalidError, match=r"^tasks: must have at most 100000 items"):
        specs.parse(text(100_001), max_bytes=specs.LARGE_SPEC_BYTES)


def test_what_the_shape_allows_the_site_may_still_refuse():
    spec = specs.parse('{"name": "g", "tasks": [{"id": "A", "team": "x"}]}')
    faults = specs.validate(spec, site=site(), check_payload=check_payload)
    assert faults == [specs.Fault("tasks[0].team", "no team 'x'")]
