"""The OpenAPI document: names without our suffixes, and every refusal a request may meet."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, Literal

from drf_spectacular.openapi import AutoSchema
from rest_framework.serializers import Serializer

from executions.api.problems import PHRASES, PROBLEM_TYPE

PROBLEM: Final = {"$ref": "#/components/schemas/Problem"}
OTHERWISE: Final = "Any other refusal: a method, media type or size not taken; too many requests."


class Described(AutoSchema):
    """Components are named for what they are: `ExecutionShape` is an `Execution`."""

    def get_serializer_name(
        self, serializer: Serializer[Any], direction: Literal["request", "response"]
    ) -> str:
        """The name of a serializer's component."""
        return str(super().get_serializer_name(serializer, direction)).removesuffix("Shape")

    def get_summary(self) -> str:
        """The first sentence of what a view says of itself."""
        first = self.get_description().partition("\n")[0]
        return re.split(r"[.;:] ", first)[0].rstrip(".")

    def get_tags(self) -> list[str]:
        """By what an address is about."""
        return [self.path.removeprefix("/api/v1/").partition("/")[0]]


def words_of(service: Callable[..., Any]) -> str:
    """What a service says of itself to those who ask for it from outside."""
    return (service.__doc__ or "").partition(" Raises ")[0]


def with_refusals(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """The document with what each operation may answer instead, all of it problem+json."""
    for operations in result["paths"].values():
        for operation in operations.values():
            answers = operation["responses"]
            codes = _refusals(operation) | {code for code in answers if code >= "400"}
            kept = {code: told for code, told in answers.items() if code not in codes}
            refused = {code: _problem(PHRASES[int(code)]) for code in sorted(codes)}
            _close(operation, result["components"]["schemas"])
            operation["responses"] = {**kept, **refused, "default": _problem(OTHERWISE)}
    return result


def _close(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Say that a body takes no other fields than those told."""
    for content in operation.get("requestBody", {}).get("content", {}).values():
        name = content["schema"].get("$ref", "").rpartition("/")[2]
        if name:
            schemas[name]["additionalProperties"] = False


def _refusals(operation: dict[str, Any]) -> set[str]:
    """Those that follow from what an operation takes and who may ask for it."""
    places = {parameter["in"] for parameter in operation.get("parameters", ())}
    names = {parameter["name"] for parameter in operation.get("parameters", ())}
    found = {"401"}
    if operation.get("security"):
        found.add("403")
    if "path" in places or "page" in names:
        found.add("404")
    if "requestBody" in operation or places & {"query", "header"}:
        found.add("400")
    return found


def _problem(words: str) -> dict[str, Any]:
    return {"content": {PROBLEM_TYPE: {"schema": PROBLEM}}, "description": words}
