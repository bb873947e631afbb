"""The file of the site's limits: every fault at its place; what is written reads back the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executions.specs import (
    LaneLimit,
    LimitsFile,
    ResourceLimit,
    SpecInvalidError,
    limits_read,
    limits_text,
)

names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,20}", fullmatch=True)
maxima = st.integers(0, 1_000_000)
words = st.none() | st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)
lanes = st.dictionaries(names, st.builds(LaneLimit, max_parallel=maxima, description=words))
files = st.builds(
    LimitsFile,
    teams=lanes,
    task_types=lanes,
    resources=st.dictionaries(
        names, st.builds(ResourceLimit, capacity=maxima, description=words), max_size=4
    ),
)


@given(files, st.sampled_from(["yaml", "json"]))
def test_what_is_written_reads_back_to_the_same(limits, form):
    assert limits_read(limits_text(limits, form)) == limits


def test_every_fault_is_told_at_once_with_its_place():
    text = """
teams: {dev_team: {max_parallel: -1}, "no such name!": {max_parallel: 1}}
task_types: {api_calls: {capacity: 2}}
resources: {db: {capacity: 1.5}, disk: 3}
people: {}
"""
    with pytest.raises(SpecInvalidError) as raised:
        limits_read(text)
    assert {fault.place for fault in raised.value.faults} == {
        "teams.dev_team.max_parallel",
        "teams.no such name!",
        "task_types.api_calls.max_parallel",
        "task_types.api_calls.capacity",
        "resources.db.capacity",
        "resources.disk",
        "people",
    }


@pytest.mark.parametrize(
    "text", ["", "- 1", "teams: [", "{", "teams: {a: {max_parallel: 1}, a: 2}"]
)
def test_what_is_no_file_of_limits_is_refused(text):
    with pytest.raises(SpecInvalidError):
        limits_read(text)
