"""Whole numbers as people type them."""

import pytest

from executions.specs import KEY_DIGITS, whole_number


@pytest.mark.parametrize("text", ["0", "7", "007", "999999999"])
def test_digits_are_a_number(text):
    assert whole_number(text) == int(text)


@pytest.mark.parametrize("text", ["", "-1", "+1", "1.0", " 1", "1_0", "²", "٣", "1234567890"])
def test_anything_else_and_what_no_database_keeps_is_none(text):
    assert whole_number(text) is None


def test_a_key_may_be_longer():
    assert whole_number("9" * KEY_DIGITS, KEY_DIGITS) == 10**KEY_DIGITS - 1
    assert whole_number("9" * (KEY_DIGITS + 1), KEY_DIGITS) is None
