"""Code with one rule taken out: the source of a function, changed in one place, made anew."""

import inspect
import sys
import textwrap


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
