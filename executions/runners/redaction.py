"""Secrets taken out of what work prints, answers and says of itself, in the forms they come in."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

MASK = "***"
LINE_CHARACTERS = 8
"""Lines of a longer secret are masked one by one, unless they are shorter than this."""


class Redaction:
    """Masks some secrets."""

    def __init__(self, secrets: Iterable[str]) -> None:
        found = {form for secret in secrets if secret for form in _forms(secret) if form}
        self.forms = tuple(sorted(found, key=len, reverse=True))
        """Longest first, as one may contain another."""
        self._any = re.compile("|".join(map(re.escape, self.forms))) if found else None

    def text(self, text: str) -> str:
        """The text with secrets masked."""
        return text if self._any is None else self._any.sub(MASK, text)

    def data(self, value: Any) -> Any:
        """The JSON value with secrets masked in every text, key and number."""
        if self._any is None:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.text(key): self.data(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.data(item) for item in value]
        if isinstance(value, int | float) and self._any.search(json.dumps(value)):
            return MASK
        return value


def _forms(secret: str) -> Iterator[str]:
    """As it is, line by line, in JSON, in an address, and within something in base64."""
    yield secret
    yield from (line for line in secret.splitlines() if len(line) >= LINE_CHARACTERS)
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield quote(secret)
    yield quote(secret, safe="")
    yield quote_plus(secret)
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for before in range(3):  # where it begins decides how it is cut into groups of three bytes
            data = bytes(before) + secret.encode()
            whole = encode(data).decode().rstrip("=")
            yield whole[(0, 2, 3)[before] : len(whole) - (1 if len(data) % 3 else 0)]
