"""Take out the token, the term, the reconcile or the self-stop: a test must fail."""

import inspect

import pytest

from tests.dispatch import small_site, test_fences
from tests.dispatch.mutants import RULES, without

pytestmark = pytest.mark.django_db(transaction=True)

TESTS = {
    "token at the start": test_fences.test_an_order_that_comes_again_starts_nothing_again,
    "token at the end": test_fences.test_an_end_told_under_an_old_token_ends_nothing,
    "whose attempt it is": (
        test_fences.test_what_another_worker_says_of_an_attempt_changes_nothing
    ),
    "term": test_fences.test_a_leader_that_was_overtaken_writes_nothing,
    "reconcile": test_fences.test_a_new_leader_sends_again_what_was_never_heard,
    "self-stop": test_fences.test_a_worker_that_can_confirm_itself_nowhere_stops_what_it_runs,
}


@pytest.mark.parametrize("rule", RULES)
def test_without_the_rule_its_test_fails(rule, monkeypatch, request):
    test = TESTS[rule]
    without(rule, put=monkeypatch.setattr)
    monkeypatch.setattr(small_site, "WITHIN_S", 2.5)
    given = {fixture: request.getfixturevalue(fixture) for fixture in arguments(test)}
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        test(**given)


def arguments(test):
    return list(inspect.signature(test).parameters)
