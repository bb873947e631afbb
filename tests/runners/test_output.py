"""Output: head and tail are kept, secrets never pass, any bytes become safe text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executions.runners.output import OutputBuffer, as_text, whole
from executions.runners.redaction import Redaction


def written(pieces, **options):
    buffer = OutputBuffer(**options)
    for piece in pieces:
        buffer.write(piece)
    buffer.close()
    return buffer


@given(st.lists(st.binary(max_size=50), max_size=30))
def test_short_output_is_kept_whole(pieces):
    buffer = written(pieces, limit_bytes=4000)
    assert buffer.head + buffer.tail == b"".join(pieces)


@given(st.lists(st.binary(max_size=300), max_size=30))
def test_of_long_output_the_two_ends_are_kept(pieces):
    buffer = written(pieces, limit_bytes=400)
    data = b"".join(pieces)
    assert buffer.total_bytes == len(data)
    assert data.startswith(buffer.head)
    assert data.endswith(buffer.tail)
    assert len(buffer.head) + len(buffer.tail) == min(len(data), 400)


@given(st.lists(st.sampled_from([b"pass", b"word", b"password", b" ", b"p"]), max_size=30))
def test_a_secret_never_passes_however_the_writes_cut_it(pieces):
    buffer = written(pieces, redaction=Redaction(["password"]))
    assert b"password" not in buffer.head + buffer.tail


@given(st.binary(max_size=300))
def test_any_bytes_become_text_without_control_characters(data):
    assert not {c for c in as_text(data) if c < " " and c not in "\n\t"}


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"\x1b[31mred\x1b[0m", "red"),
        (b"\x1b]0;title\x07body", "body"),
        (b"a\x00b", "ab"),
        (b"\xff", "\\xff"),
        (b"a\r\nb", "a\nb"),
    ],
)
def test_terminal_codes_are_stripped(raw, text):
    assert as_text(raw) == text


def test_the_tap_hears_every_byte_with_its_offset():
    heard = []
    buffer = OutputBuffer(tap=lambda offset, data: heard.append((offset, data)))
    for piece in (b"one ", b"two ", b"three"):
        buffer.write(piece)
    buffer.close()
    assert b"".join(data for _, data in heard) == b"one two three"
    told = 0
    for offset, data in heard:
        assert offset == told
        told += len(data)


def test_what_is_left_out_is_marked():
    assert whole(b"ab", b"yz", 10).decode() == "ab\n… 6 bytes left out …\nyz"
