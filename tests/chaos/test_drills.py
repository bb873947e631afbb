"""The short drills: rows of the fault table at a quick tempo, each on a site of its own."""

import pytest

from tests.chaos.__main__ import run_apart

SHORT = ("1", "2", "3", "4", "5", "6", "10", "13", "14")


@pytest.mark.processes
@pytest.mark.parametrize("row", SHORT)
def test_nothing_is_lost(row):
    result = run_apart(row, tempo=0.2, seed=1)
    assert result["faults"] == []
