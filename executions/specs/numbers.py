"""Whole numbers as people type them: in fields, in addresses, on the command line."""

from __future__ import annotations

from typing import Final

DIGITS: Final = 9
"""What every database keeps as an integer."""
KEY_DIGITS: Final = 18
"""What every database keeps as a key."""


def whole_number(text: str, digits: int = DIGITS) -> int | None:
    """The number from 0 up that a text is; None for any other text, and for more digits."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= digits else None
