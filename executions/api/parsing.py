"""Request bodies, read as strictly as spec files: size, depth, duplicate keys, NaN."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any, ClassVar

from rest_framework.exceptions import ValidationError
from rest_framework.parsers import BaseParser

from executions.specs import LARGE_SPEC_BYTES, SpecFormat
from executions.specs.reading import read


class StrictParser(BaseParser):
    """A body in one format of specs."""

    format: ClassVar[SpecFormat]
    max_bytes: ClassVar[int] = LARGE_SPEC_BYTES

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,  # noqa: ARG002 (REST framework's signature)
        parser_context: Mapping[str, Any] | None = None,  # noqa: ARG002
    ) -> Any:
        """The data. Raises SpecInvalidError."""
        raw = stream.read(self.max_bytes + 1)
        if not raw:
            return {}
        return read(raw, self.format, self.max_bytes)


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


def fields(data: Any) -> dict[str, Any]:
    """The body as a map of fields."""
    if not isinstance(data, dict):
        raise ValidationError({"": ["must be a map"]})
    return data
