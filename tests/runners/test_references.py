"""References in payloads are found and filled in; a missing one is named."""

import pytest

from executions.runners.references import UnresolvedReferenceError, references, resolve

RESULTS = {"A": {"version": "1.2", "files": ["x", "y"], "n": 3}, "B-1": {}}


@pytest.mark.parametrize(
    ("payload", "filled"),
    [
        ("${tasks.A.result.version}", "1.2"),
        ("${tasks.A.result.n}", 3),
        ("v${tasks.A.result.version}!", "v1.2!"),
        ("${tasks.A.result.files.1}", "y"),
        ("${tasks.A.result}", RESULTS["A"]),
        ({"k": ["${tasks.A.result.n} of ${secret:PIN}"]}, {"k": ["3 of 42"]}),
        ("$HOME ${HOME} plain", "$HOME ${HOME} plain"),
    ],
)
def test_references_are_filled_in(payload, filled):
    assert resolve(payload, results=RESULTS, secrets={"PIN": "42"}) == filled


@pytest.mark.parametrize(
    ("payload", "named"),
    [
        ("${tasks.C.result}", "'C'"),
        ("${tasks.A.result.colour}", "'colour'"),
        ("${tasks.A.result.files.9}", "'9'"),
        ("${secret:NONE}", "'NONE'"),
    ],
)
def test_what_is_missing_is_named(payload, named):
    with pytest.raises(UnresolvedReferenceError, match=named):
        resolve(payload, results=RESULTS, secrets={})


def test_references_are_found_everywhere():
    payload = {"a": ["${tasks.A.result}", {"b": "x ${secret:S} ${tasks.B-1.result.q}"}]}
    assert references(payload) == ({"A", "B-1"}, {"S"})
