"""A secret is masked in whatever form it comes back."""

import base64
import json
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executions.runners.redaction import MASK, Redaction

SECRET = 'pa"ss wörd/+=&\\1'
secrets = st.text(st.characters(codec="utf-8", exclude_characters="*"), min_size=8, max_size=40)


@pytest.mark.parametrize(
    "said",
    [
        SECRET,
        json.dumps({"password": SECRET}),
        json.dumps({"password": SECRET}, ensure_ascii=False),
        f"https://host/?{urlencode({'password': SECRET})}",
        f"https://host/{quote(SECRET, safe='')}/",
        f"https://host/{quote(SECRET, safe='').lower()}/",
        base64.b64encode(f"user:{SECRET}".encode()).decode(),
        base64.b64encode(f"u:{SECRET} and more".encode()).decode(),
        base64.urlsafe_b64encode(f"us:{SECRET}".encode()).decode(),
    ],
)
def test_each_form_is_masked(said):
    masked = Redaction([SECRET]).text(f"before {said} after")
    assert masked.startswith("before ")
    assert masked.endswith(" after")
    assert MASK in masked
    for form in Redaction([SECRET]).forms:
        assert form.decode() not in masked


@given(secrets, st.text(max_size=20), st.text(max_size=20))
def test_no_text_lets_a_secret_through(secret, before, after):
    masked = Redaction([secret]).text(before + secret + after)
    assert secret not in masked or secret in before + after


def test_texts_and_keys_within_data_are_masked_and_nothing_else():
    data = {"a": ["the-secret-x", 1, None], "the-secret-x": {"b": "as the-secret-x is"}, "c": True}
    assert Redaction(["the-secret-x"]).data(data) == {
        "a": [MASK, 1, None],
        MASK: {"b": f"as {MASK} is"},
        "c": True,
    }


def test_a_secret_that_is_a_number_is_masked_as_one():
    assert Redaction(["947112345678"]).data({"pin": 947112345678, "n": 9}) == {"pin": MASK, "n": 9}


def test_a_line_of_a_longer_secret_is_masked_too():
    key = "-----BEGIN KEY-----\nMIIEvgIBADANBg\n-----END KEY-----"
    assert Redaction([key]).text("line: MIIEvgIBADANBg.") == f"line: {MASK}."


def test_without_secrets_nothing_changes():
    assert Redaction([]).data({"a": "b"}) == {"a": "b"}
    assert Redaction([""]).text("text") == "text"
