"""YAML as specs use it, both ways: plain data, no duplicate keys, bounded depth and aliases."""

from __future__ import annotations

import re
from typing import Any, Final

import yaml
from yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    NodeEvent,
)

try:
    from yaml import CSafeLoader as _Base
except ImportError:  # a PyYAML built without libyaml is slower and otherwise the same
    from yaml import SafeLoader as _Base  # type: ignore[assignment]

ALIASED_NODES_LIMIT: Final = 1_000_000
"""How many nodes aliases may add in all when they are written out."""

_FLOAT = (
    r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
_CORE = "tag:yaml.org,2002:"


class YamlError(Exception):
    """The text is not YAML as specs use it; the message says where and why."""


class _SpecLoader(_Base):
    """SafeLoader without dates, sexagesimal numbers, sets and binaries; refuses duplicate keys."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}
    yaml_constructors = {
        tag: constructor
        for tag, constructor in _Base.yaml_constructors.items()
        if tag is None
        or tag.removeprefix(_CORE) in ("null", "bool", "int", "float", "str", "seq", "map")
    }

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.twice: list[str] = []

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 (PyYAML's signature)
        """As PyYAML's, but notes each key that is given twice."""
        seen = set()
        for key, _ in getattr(node, "value", ()):
            name = (key.tag, key.value) if isinstance(key.value, str) else id(key)
            if name in seen:
                where = _where(key.start_mark)
                self.twice.append(f"key '{key.value}' is given twice{where}")
            seen.add(name)
        found: dict[Any, Any] = super().construct_mapping(node, deep)
        return found


class _SpecDumper(yaml.SafeDumper):
    """SafeDumper that quotes whatever text the loader would take for something else."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 (PyYAML's signature)
        """Write everything out."""
        return True


for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF",
     list("yYnNtTfFoO")),
    ("int", r"[-+]?(?:0x[0-9a-fA-F]+|0|[1-9][0-9]*)", list("-+0123456789")),
    ("float", _FLOAT, list("-+0123456789.")),
    ("merge", "<<", ["<"]),
):  # fmt: skip
    for _class in (_SpecLoader, _SpecDumper):
        _class.add_implicit_resolver(_CORE + _tag, re.compile(f"^(?:{_pattern})$"), _first)


def yaml_text(data: Any) -> str:
    """The data as YAML that `yaml_data` reads back to the same."""
    text: str = yaml.dump(data, Dumper=_SpecDumper, sort_keys=False, allow_unicode=True, width=100)
    return text


def yaml_data(text: str, depth_limit: int) -> tuple[Any, list[str]]:
    """The data of one YAML document, and in words each key given twice. Raises YamlError."""
    try:
        _check_bounds(text, depth_limit)
        loader = _SpecLoader(text)
        try:
            return loader.get_single_data(), loader.twice
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        where = _where(error.problem_mark) if error.problem_mark else ""
        context = f"{error.context}, " if error.context and "document" in error.context else ""
        raise YamlError(f"{context}{error.problem}{where}") from None
    except (yaml.YAMLError, ValueError, RecursionError, TypeError) as error:
        raise YamlError(str(error)) from None


def _where(mark: yaml.Mark) -> str:
    return f" (line {mark.line + 1}, column {mark.column + 1})"


def _check_bounds(text: str, depth_limit: int) -> None:
    """Refuse what would be too deep or too large written out, before any of it is made."""
    bounds = _Bounds(depth_limit)
    for event in yaml.parse(text, Loader=_SpecLoader):
        if isinstance(event, AliasEvent):
            bounds.alias(str(event.anchor))
        elif isinstance(event, CollectionStartEvent):
            bounds.opened(event.anchor)
        elif isinstance(event, CollectionEndEvent):
            bounds.closed()
        elif isinstance(event, NodeEvent):
            bounds.scalar(event.anchor)


class _Bounds:
    """Counts nodes as if aliases were written out."""

    def __init__(self, depth_limit: int) -> None:
        self._depth_limit = depth_limit
        self._sizes: dict[str, int] = {}
        self._open: list[tuple[str | None, int]] = []
        self._total = 0
        self._aliased = 0

    def alias(self, anchor: str) -> None:
        size = self._sizes.get(anchor)
        if size is None:
            raise YamlError(f"alias '*{anchor}' stands for nothing whole before it")
        self._total += size
        self._aliased += size
        if self._aliased > ALIASED_NODES_LIMIT:
            raise YamlError(f"aliases add more than {ALIASED_NODES_LIMIT:,} nodes")

    def opened(self, anchor: str | None) -> None:
        if len(self._open) >= self._depth_limit:
            raise YamlError(f"is nested deeper than {self._depth_limit}")
        if anchor:
            self._sizes.pop(anchor, None)
        self._open.append((anchor, self._total))
        self._total += 1

    def closed(self) -> None:
        anchor, before = self._open.pop()
        if anchor:
            self._sizes[anchor] = self._total - before

    def scalar(self, anchor: str | None) -> None:
        self._total += 1
        if anchor:
            self._sizes[anchor] = 1
