"""`${tasks.TASK-001.result.version}` and `${secret:NAME}` in payloads: found, and filled in.

A string that is one reference alone becomes the value itself; within a longer one it becomes text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

_REFERENCE = re.compile(
    r"\$\{(?:tasks\.(?P<task>[^.{}]+)\.result(?P<path>(?:\.[^.{}]+)*)|secret:(?P<secret>[^{}]+))\}"
)


class UnresolvedReferenceError(Exception):
    """A payload refers to something that is not there; the text names it."""


def references(payload: Any) -> tuple[frozenset[str], frozenset[str]]:
    """The task ids and the secret names a payload refers to."""
    tasks: set[str] = set()
    secrets: set[str] = set()

    def note(match: re.Match[str]) -> Any:
        if match["task"]:
            tasks.add(match["task"])
        else:
            secrets.add(match["secret"])
        return ""

    _walk(payload, note)
    return frozenset(tasks), frozenset(secrets)


def resolve(payload: Any, *, results: Mapping[str, Any], secrets: Mapping[str, str]) -> Any:
    """The payload with every reference filled in; raises UnresolvedReferenceError."""

    def value(match: re.Match[str]) -> Any:
        name = match["secret"]
        if name is not None:
            if name not in secrets:
                raise UnresolvedReferenceError(f"no secret '{name}'")
            return secrets[name]
        return _look_up(match, results)

    return _walk(payload, value)


def _look_up(match: re.Match[str], results: Mapping[str, Any]) -> Any:
    task = match["task"]
    if task not in results:
        raise UnresolvedReferenceError(f"{match[0]}: task '{task}' has no result")
    found = results[task]
    for step in match["path"].split(".")[1:]:
        if isinstance(found, Mapping) and step in found:
            found = found[step]
        elif isinstance(found, list) and step.isdigit() and int(step) < len(found):
            found = found[int(step)]
        else:
            raise UnresolvedReferenceError(f"{match[0]}: no '{step}' in the result of '{task}'")
    return found


def _walk(payload: Any, value: Callable[[re.Match[str]], Any]) -> Any:
    if isinstance(payload, str):
        if "${" not in payload:
            return payload
        alone = _REFERENCE.fullmatch(payload)
        return value(alone) if alone else _REFERENCE.sub(lambda m: _text(value(m)), payload)
    if isinstance(payload, Mapping):
        return {key: _walk(item, value) for key, item in payload.items()}
    if isinstance(payload, list):
        return [_walk(item, value) for item in payload]
    return payload


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
