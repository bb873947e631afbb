"""Request bodies, read as strictly as spec files: size, depth, duplicate keys, NaN."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any, ClassVar, cast

from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

from executions.api.bodies import largest_body
from executions.specs import SpecFormat
from executions.specs.reading import read


class StrictParser(BaseParser):
    """A body in one format of specs."""

    format: ClassVar[SpecFormat]
    max_bytes: ClassVar[int | None] = None
    """None: as many as the address of the request takes."""

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,  # noqa: ARG002 (REST framework's signature)
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """The data. Raises SpecInvalidError."""
        assert parser_context is not None
        most = self.max_bytes or largest_body(parser_context["request"].path)
        raw = stream.read(most + 1)
        if not raw:
            return {}
        return read(raw, self.format, most)


class StrictJsonParser(StrictParser):
    """JSON."""

    media_type = "application/json"
    format = "json"


class SmallJsonParser(StrictJsonParser):
    """JSON of whoever comes by."""

    max_bytes = 4096


class YamlParser(StrictParser):
    """YAML: a spec as people keep it in files."""

    media_type = "application/yaml"
    format = "yaml"


class Asked(serializers.Serializer[Any]):
    """What a body may hold: a field that there is not is a fault, not nothing."""

    def to_internal_value(self, data: Any) -> Any:
        """The values. Raises ValidationError with every fault at once."""
        unknown = set(data) - set(self.fields) if isinstance(data, Mapping) else set()
        faults: dict[str, Any] = {name: ["unknown field"] for name in sorted(unknown, key=str)}
        try:
            values = super().to_internal_value(data)
        except ValidationError as error:
            told = cast("dict[str, Any]", error.detail)
            raise ValidationError({**told, **faults}) from None
        if faults:
            raise ValidationError(faults)
        return values


def asked(shape: type[Asked], request: Request) -> dict[str, Any]:
    """The values of a request's body. Raises ValidationError."""
    found = shape(data=request.data)
    found.is_valid(raise_exception=True)
    return dict(found.validated_data)


def fields(data: Any) -> dict[str, Any]:
    """The body as a map of fields."""
    if not isinstance(data, dict):
        raise ValidationError({"": ["must be a map"]})
    return data
