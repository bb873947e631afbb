"""A spec written down reads back as the same spec, and means the same to the brain."""

import csv
import io

from hypothesis import given, settings
from hypothesis import strategies as st

from executions import specs
from executions.exports.csv_rows import FORMULA_STARTS
from executions.scheduling.model import Requirement, Strategy

printable = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufeff"))
turning = "\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
formulas = st.from_regex(r"'{0,2}[=+@＝-]\w{0,5}", fullmatch=True)  # noqa: RUF001 (a wide one)
texts = (printable | formulas).filter(
    lambda t: t == t.strip() and len(t) <= 50 and not set(t) & set(turning)
)
names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,8}", fullmatch=True)
ids = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.:+@-]{0,8}", fullmatch=True)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def task(draw, id_: str, earlier: list[str]) -> specs.TaskSpec:
    needs = draw(st.lists(names, unique=True, max_size=2))
    return specs.TaskSpec(
        id=id_,
        title=draw(texts),
        runner=draw(st.sampled_from(["noop", "shell", "external"])),
        payload=draw(st.dictionaries(texts, json_values, max_size=2)),
        priority=draw(st.integers(0, 100)),
        team=draw(st.none() | names),
        required_resources=[
            specs.RequirementSpec(id=n, exclusive=True)
            if draw(st.booleans())
            else specs.RequirementSpec(id=n, amount=draw(st.integers(1, 5)))
            for n in needs
        ],
        depends_on=draw(st.lists(st.sampled_from(earlier), unique=True)) if earlier else [],
        duration_s=draw(st.none() | st.floats(0, 1e6)),
        timeout_ms=draw(st.none() | st.integers(1, 10**9)),
        max_retries=draw(st.none() | st.integers(0, 9)),
    )


@st.composite
def groups(draw) -> specs.TaskGroupSpec:
    chosen = draw(st.lists(ids, min_size=1, max_size=4, unique=True))
    return specs.TaskGroupSpec(
        name=draw(texts.filter(bool)),
        description=draw(texts),
        max_concurrency=draw(st.integers(1, 9)),
        failure_strategy=draw(st.sampled_from(Strategy)),
        planning=draw(st.booleans()),
        limits=specs.LimitsSpec(team=draw(st.dictionaries(names, st.integers(1, 9), max_size=2))),
        tasks=[draw(task(id_, chosen[:i])) for i, id_ in enumerate(chosen)],
    )


@given(groups(), st.sampled_from(["json", "yaml"]))
@settings(max_examples=60, deadline=None)
def test_text_reads_back_as_the_same_spec(spec, kind):
    assert specs.parse(specs.dump(spec, kind), format=kind) == spec


@given(groups())
@settings(max_examples=40, deadline=None)
def test_csv_keeps_the_tasks(spec):
    assert specs.parse(specs.dump(spec, "csv"), format="csv").tasks == spec.tasks


@given(groups())
@settings(max_examples=40, deadline=None)
def test_no_cell_of_it_is_a_formula(spec):
    for row in csv.reader(io.StringIO(specs.dump(spec, "csv"), newline="")):
        assert not any(cell.startswith(FORMULA_STARTS) for cell in row)


def test_the_brain_gets_what_was_written():
    spec = specs.parse(
        """
name: g
failure_strategy: fail_fast
timeout_ms: 1500
limits: {team: {dev_team: 2}}
tasks:
  - {id: A, runner: external, required_resources: [{id: db, exclusive: true}]}
  - {id: B, depends_on: [A], timeout_ms: 500, duration_s: 3}
"""
    )
    group = specs.group_of(spec)
    first, second = group.tasks
    assert group.strategy is Strategy.FAIL_FAST
    assert group.timeout_s == 1.5
    assert group.limits == {"team:dev_team": 2}
    assert first.requirements == (Requirement("db", 1, exclusive=True),)
    assert not first.needs_worker
    assert (second.depends_on, second.timeout_s, second.duration_s) == (("A",), 0.5, 3.0)


def test_the_schema_names_every_field():
    schema = specs.json_schema()
    assert set(schema["properties"]) == set(specs.TaskGroupSpec.model_fields)
    assert schema["required"] == ["name", "tasks"]
