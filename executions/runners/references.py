"""`${tasks.TASK-001.result.version}` and `${secret:NAME}` in payloads: found, and filled in.

A string that is one reference alone becomes the value itself; within a longer one it becomes text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Container, Iterator, Mapping
from typing import Any

Faults = list[tuple[str, str]]
"""(place within the payload, message)."""

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


def reference_faults(
    payload: Any, *, before: Callable[[], Container[str]], secrets: Callable[[], Container[str]]
) -> Faults:
    """What a payload refers to that will not be there: a task not done before, no such secret."""
    found: Faults = []
    if not any(references(payload)):
        return found
    for place, text in _strings(payload, ""):
        for match in _REFERENCE.finditer(text):
            task, secret = match["task"], match["secret"]
            if task and task not in before():
                found.append((place, f"{match[0]}: depends_on does not lead to '{task}'"))
            if secret and secret not in secrets():
                found.append((place, f"no secret '{secret}'"))
    return found


def _strings(payload: Any, place: str) -> Iterator[tuple[str, str]]:
    """Every text in a payload with its place."""
    if isinstance(payload, str):
        yield place, payload
    elif isinstance(payload, Mapping):
        for key, item in payload.items():
            yield from _strings(item, f"{place}.{key}" if place else str(key))
    elif isinstance(payload, list):
        for n, item in enumerate(payload):
            yield from _strings(item, f"{place}[{n}]")


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
