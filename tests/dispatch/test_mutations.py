"""Take out the token, the term, the reconcile or the self-stop: a test must fail."""

import inspect

import pytest

from executions.dispatch import dispatcher as dispatcher_module
from executions.dispatch import inbox, lease, store, worker
from tests.dispatch import small_site, test_fences
from tests.dispatch.mutants import mutant

pytestmark = pytest.mark.django_db(transaction=True)

MUTATIONS = {
    "token at the start": (
        (worker.LaneWorker, "_accept", "if held.token in self._seen:", "if False:"),
        test_fences.test_an_order_that_comes_again_starts_nothing_again,
    ),
    "token at the end": (
        (store.Store, "_forget", "self.attempts.pop(address.token, None)", "pass"),
        test_fences.test_an_end_told_under_an_old_token_ends_nothing,
    ),
    "whose attempt it is": (
        (inbox, "_take_report", "or address.worker != worker", ""),
        test_fences.test_what_another_worker_says_of_an_attempt_changes_nothing,
    ),
    "term": (
        (lease.Lease, "check", "if not held.update(", "if False and held.update("),
        test_fences.test_a_leader_that_was_overtaken_writes_nothing,
    ),
    "reconcile": (
        (dispatcher_module.Leader, "_look", "self._reconcile(batch)", "pass"),
        test_fences.test_a_new_leader_sends_again_what_was_never_heard,
    ),
    "self-stop": (
        (worker.LaneWorker, "_guard", 'self._stop_held(held, "lost")', "pass"),
        test_fences.test_a_worker_that_can_confirm_itself_nowhere_stops_what_it_runs,
    ),
}


@pytest.mark.parametrize("rule", MUTATIONS)
def test_without_the_rule_its_test_fails(rule, monkeypatch, request):
    (owner, name, old, new), test = MUTATIONS[rule]
    monkeypatch.setattr(owner, name, mutant(owner, name, old, new))
    monkeypatch.setattr(small_site, "WITHIN_S", 2.5)
    given = {fixture: request.getfixturevalue(fixture) for fixture in arguments(test)}
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        test(**given)


def arguments(test):
    return list(inspect.signature(test).parameters)
