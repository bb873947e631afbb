"""Secrets taken out of what work prints, answers and says of itself, in the forms they come in.

What is masked is every character that is part of some secret as a reader sees the text: terminal
codes and control characters between them hide nothing. It is decided before anything is cut.
"""

from __future__ import annotations

import base64
import json
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote, quote_plus

MASK = "***"
LINE_CHARACTERS = 8
"""Lines of a longer secret are masked one by one, unless they are shorter than this."""
CODE_BYTES = 4096
"""What begins like a terminal code and is longer is none."""
HELD_BYTES = 8192
"""Terminal codes within what may become a secret are kept up to so many bytes."""
UNESCAPED = "!'()*~"
"""What browsers leave as it is where they escape a value for an address."""

INVISIBLE = re.compile(
    rb"\x1b(?:\[[0-?]{0,64}[ -/]{0,8}[@-~]|\][^\x07\x1b]{0,%d}(?:\x07|\x1b\\)|[@-Z\\-_])"
    rb"|[\x00-\x08\x0b-\x1f\x7f]" % CODE_BYTES
)
"""ANSI codes, and control characters but tab and newline."""
_CONTROL = bytes([*range(9), *range(11, 32), 127])
_UNFINISHED = re.compile(
    rb"\x1b(?:\[[0-?]{0,64}[ -/]{0,8}|\][^\x07\x1b]{0,%d}\x1b?)?\Z" % CODE_BYTES
)
_MASK = MASK.encode()

Span = tuple[int, int]


class Redaction:
    """Masks some secrets."""

    def __init__(self, secrets: Iterable[str]) -> None:
        found = {seen(form.encode()) for secret in secrets for form in _forms(secret)}
        self.forms = tuple(sorted(found - {b""}))
        self.margin_bytes = max(map(len, self.forms), default=0)
        """How far beyond a cut one must look to know whether it goes through a secret."""

    def text(self, text: str) -> str:
        """The text with secrets masked."""
        if not self.forms:
            return text
        data = text.encode(errors="surrogatepass")
        return self.head(data, len(data)).decode(errors="surrogatepass")

    def head(self, data: bytes, limit_bytes: int) -> bytes:
        """The first bytes with secrets masked, also those that go on beyond the limit."""
        if not self.forms:
            return data[:limit_bytes]
        return _masked(data, _places(data, self.spans(seen(data))), limit_bytes)

    def data(self, value: Any) -> Any:
        """The JSON value with secrets masked in every text, key and number."""
        if not self.forms:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.text(key): self.data(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.data(item) for item in value]
        if isinstance(value, int | float) and self.spans(json.dumps(value).encode()):
            return MASK
        return value

    def spans(self, data: bytes) -> list[Span]:
        """From where to where secrets lie, in order; those that overlap are one."""
        found = sorted(span for form in self.forms for span in _found(form, data))
        merged: list[Span] = []
        for start, end in found:
            if merged and start < merged[-1][1]:
                merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
            else:
                merged.append((start, end))
        return merged

    def begun(self, data: bytes) -> int:
        """How many bytes at the end may be the beginning of a secret."""
        return max((_begun(form, data) for form in self.forms), default=0)


class Masker:
    """Masks secrets in what comes in pieces; what may become one is held back until it is known."""

    def __init__(self, redaction: Redaction) -> None:
        self._redaction = redaction
        self._held = b""
        self._ahead = 0
        """How many characters of what is held belong to a secret that is masked already."""

    def write(self, data: bytes) -> bytes:
        """What is certain by now."""
        if not self._redaction.forms:
            return data
        data = self._held + data
        open_code = _UNFINISHED.search(data, max(len(data) - CODE_BYTES - 4, 0))
        end = open_code.start() if open_code else len(data)
        visible = seen(data[:end])
        sure = len(visible) - self._redaction.begun(visible)
        spans = self._spans(visible)
        stop = _places(data, [(sure, sure + 1)])[0][0] if sure < len(visible) else end
        told = self._told(data, spans, stop)
        through = [b for a, b in spans if b > sure and (a < sure or (self._ahead and a == 0))]
        self._ahead = through[0] - sure if through else 0
        self._held = data[stop:]
        if len(self._held) > self._redaction.margin_bytes + HELD_BYTES:
            self._held = seen(data[stop:end]) + data[end:]
        return told

    def close(self) -> bytes:
        """The rest: nothing comes any more."""
        data, self._held = self._held, b""
        told = self._told(data, self._spans(seen(data)), len(data))
        self._ahead = 0
        return told

    def _spans(self, visible: bytes) -> list[Span]:
        spans = self._redaction.spans(visible)
        if not self._ahead:
            return spans
        end = self._ahead
        while spans and spans[0][0] < end:
            end = max(end, spans.pop(0)[1])
        return [(0, end), *spans]

    def _told(self, data: bytes, spans: list[Span], stop: int) -> bytes:
        told = _masked(data, _places(data, spans), stop)
        return told[len(_MASK) :] if self._ahead else told  # it was told with its beginning


def seen(data: bytes) -> bytes:
    """What a reader sees of it: without terminal codes and control characters."""
    if len(data.translate(None, _CONTROL)) == len(data):
        return data
    return INVISIBLE.sub(b"", data)


def _places(data: bytes, spans: Sequence[Span]) -> list[Span]:
    """Where in the data spans of what is seen of it lie, with all that is unseen in between."""
    if not spans or len(data.translate(None, _CONTROL)) == len(data):
        return list(spans)
    befores, starts, unseen = [0], [0], 0
    for match in INVISIBLE.finditer(data):
        before = match.start() - unseen
        unseen += match.end() - match.start()
        befores.append(before)
        starts.append(match.end())

    def place(position: int) -> int:
        n = bisect_right(befores, position) - 1
        return starts[n] + position - befores[n]

    return [(place(start), place(end - 1) + 1) for start, end in spans]


def _masked(data: bytes, places: Sequence[Span], stop: int) -> bytes:
    """The first `stop` bytes with a mask in each place."""
    told, at = [], 0
    for start, end in places:
        if start >= stop:
            break
        told += [data[at:start], _MASK]
        at = end
    return b"".join([*told, data[at:stop]])


def _found(form: bytes, data: bytes) -> Iterator[Span]:
    """Where a form lies; of places that overlap only as many as it takes to cover them all."""
    start = data.find(form)
    while start >= 0:
        end = start + len(form)
        yield start, end
        again = data.rfind(form, start + 1, end + len(form) - 1)
        start = again if again >= 0 else data.find(form, end)


def _begun(form: bytes, data: bytes) -> int:
    """How much of a form, but not all of it, lies at the end."""
    end = data[-1:]
    if not end or end not in form[:-1]:
        return 0
    start = data.find(form[:1], max(len(data) - len(form) + 1, 0))
    while start >= 0:
        if form.startswith(data[start:]):
            return len(data) - start
        start = data.find(form[:1], start + 1)
    return 0


def _forms(secret: str) -> Iterator[str]:
    """As it is, line by line, in JSON, in an address, and within something in base64."""
    yield secret
    yield from (line for line in secret.splitlines() if len(line) >= LINE_CHARACTERS)
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    for escaped in (
        quote(secret),
        quote(secret, safe=""),
        quote(secret, safe=UNESCAPED),
        quote_plus(secret),
    ):
        yield escaped
        yield re.sub("%[0-9A-F]{2}", lambda match: match[0].lower(), escaped)
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for before in range(3):  # where it begins decides how it is cut into groups of three bytes
            data = bytes(before) + secret.encode()
            whole = encode(data).decode().rstrip("=")
            yield whole[(0, 2, 3)[before] : len(whole) - (1 if len(data) % 3 else 0)]
