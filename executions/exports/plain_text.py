"""Other people's text without what would drive a terminal or turn the text around it."""

from __future__ import annotations

import re
from typing import Any, Final

DRIVING: Final = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters, those of eight bits too
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # which way text runs
    "\u2028\u2029\ud800-\udfff"  # breaks of lines and halves of characters
)
_DRIVING: Final = re.compile(f"[{DRIVING}]")
_LINE: Final = re.compile(f"[{DRIVING}\t\n]")
GONE: Final = "\N{REPLACEMENT CHARACTER}"


def plain(text: Any) -> str:
    """The text, its lines and tabs as they are."""
    return _DRIVING.sub(GONE, str(text))


def plain_line(text: Any) -> str:
    """The same on one line."""
    return _LINE.sub(GONE, str(text))


def escaped_json(text: str) -> str:
    """JSON of the same value, with what drives terminals written as escapes."""
    return _DRIVING.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
