"""Code with one rule taken out: the source of a function, changed in one place, made anew."""

import inspect
import sys
import textwrap

from executions.dispatch import dispatcher, inbox, store, worker

RULES = {
    "token at the start": (
        worker.LaneWorker,
        "_accept",
        "if held.token in self._seen:",
        "if False:",
    ),
    "token at the end": (
        (store.Store, "_forget", "self.attempts.pop(address.token, None)", "pass")
    ),
    "whose attempt it is": (inbox, "_take_report", "or address.worker != worker", ""),
    "term": (store.Store, "commit", "self._lease.hold(made)", "pass"),
    "reconcile": (dispatcher.Leader, "_look", "self._reconcile(batch)", "pass"),
    "self-stop": (worker.LaneWorker, "_guard", 'self._stop_held(held, "lost")', "pass"),
}
"""Where each is written: (owner, function, its text, what stands there without it)."""


def without(rule, put=setattr):
    """Take the rule out of this process; `put` sets an attribute."""
    owner, name, old, new = RULES[rule]
    put(owner, name, mutant(owner, name, old, new))


def mutant(owner, name, old, new):
    """The function `name` of a class or module with `old` replaced, in the module's own names.

    Raises AssertionError where the rule is no longer written so: then the mutation is to be
    written anew.
    """
    plain = getattr(owner, name)
    source = textwrap.dedent(inspect.getsource(plain))
    assert source.count(old) == 1, f"{name} has {source.count(old)} times {old!r}"
    module = sys.modules[plain.__module__]
    names = dict(vars(module))
    code = compile(source.replace(old, new), f"<{name} without {old!r}>", "exec")
    exec(code, names)  # the point of it
    return names[name]
