"""Whatever is kept holds no secret, however the text around it is written, cut and coloured."""

import base64
import json
from urllib.parse import quote, quote_plus

from hypothesis import given
from hypothesis import strategies as st

from executions.runners.output import OutputBuffer, as_text
from executions.runners.redaction import HELD_BYTES, Masker, Redaction, seen

whole_secrets = st.text(
    st.characters(codec="utf-8", exclude_characters="*"), min_size=8, max_size=30
)
few_letters = st.text("ab%/", min_size=8, max_size=20)


@st.composite
def families(draw):
    """Some secrets, of which some begin or contain others, or are much like them."""
    found = draw(st.lists(whole_secrets | few_letters, min_size=1, max_size=3))
    for secret in list(found):
        found += draw(
            st.lists(
                st.sampled_from([secret + "more", "x" + secret, secret[:8], secret[4:] + "tail"]),
                max_size=2,
            )
        )
    return found


ENCODINGS = (
    lambda secret: secret,
    lambda secret: json.dumps({"value": secret}),
    lambda secret: json.dumps(secret, ensure_ascii=False),
    quote,
    lambda secret: quote(secret, safe=""),
    quote_plus,
    lambda secret: quote(secret, safe="").replace("%2F", "%2f").replace("%3A", "%3a"),
    lambda secret: base64.b64encode(secret.encode()).decode(),
    lambda secret: base64.b64encode(b"u:" + secret.encode() + b"\n").decode(),
    lambda secret: base64.urlsafe_b64encode(b"a" + secret.encode()).decode(),
)
COLOURS = ("\x1b[31m", "\x1b[0m", "\x1b]0;title\x07", "\r", "\x00", "\x1b[", "\x1b")


@st.composite
def told(draw):
    """Secrets, and pieces of an output in which they stand, whole and in part, also coloured."""
    secrets = draw(families())
    parts = st.one_of(
        st.text(max_size=10),
        st.sampled_from(COLOURS),
        st.builds(lambda s, e: e(s), st.sampled_from(secrets), st.sampled_from(ENCODINGS)),
        st.builds(lambda s, n: s[:n], st.sampled_from(secrets), st.integers(1, 8)),
        st.builds(lambda s, c, n: s[:n] + c + s[n:], st.sampled_from(secrets),
                  st.sampled_from(COLOURS[:5]), st.integers(0, 30)),
    )  # fmt: skip
    data = "".join(draw(st.lists(parts, max_size=12))).encode(errors="surrogatepass")
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=12)))
    if draw(st.booleans()):
        cuts = range(len(data))
    return secrets, [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]


def masked(redaction, pieces):
    masker = Masker(redaction)
    return b"".join([*map(masker.write, pieces), masker.close()])


@given(told())
def test_no_form_of_a_secret_survives_any_writing(given_):
    secrets, pieces = given_
    redaction = Redaction(secrets)
    shown = seen(masked(redaction, pieces))
    assert [form for form in redaction.forms if form in shown] == []
    assert [
        s for s in secrets if as_text(s.encode()) and as_text(s.encode()) in shown.decode()
    ] == []


@given(told())
def test_how_a_text_is_cut_into_writes_changes_nothing(given_):
    secrets, pieces = given_
    redaction = Redaction(secrets)
    data = b"".join(pieces)
    assert masked(redaction, pieces) == masked(redaction, [data]) == redaction.head(data, len(data))


@given(st.lists(whole_secrets, max_size=3), st.lists(st.binary(max_size=30), max_size=12))
def test_what_holds_no_secret_passes_as_it_is(secrets, pieces):
    redaction, data = Redaction(secrets), b"".join(pieces)
    if not any(form in seen(data) for form in redaction.forms):
        assert masked(redaction, pieces) == data


@given(told(), st.integers(8, 60))
def test_what_is_kept_of_long_output_is_cut_after_it_was_masked(given_, limit):
    secrets, pieces = given_
    heard = []
    buffer = OutputBuffer(
        limit, tap=lambda _, piece: heard.append(piece), redaction=Redaction(secrets)
    )
    for piece in pieces:
        buffer.write(piece)
    buffer.close()
    whole = masked(Redaction(secrets), pieces)
    assert whole.startswith(buffer.head)
    assert whole.endswith(buffer.tail)
    assert b"".join(heard) == whole
    assert buffer.total_bytes == len(whole)


@given(told(), st.integers(0, 200))
def test_a_text_cut_within_a_secret_shows_no_part_of_it(given_, limit):
    secrets, pieces = given_
    data, redaction = b"".join(pieces), Redaction(secrets)
    known = data[: limit + redaction.margin_bytes]
    if seen(known) == known:
        whole = redaction.head(data, len(data))
        assert whole.startswith(redaction.head(known, limit).rstrip(b"*"))


def test_what_may_become_a_secret_is_held_in_bounded_memory():
    masker = Masker(Redaction(["password"]))
    assert masker.write(b"say pass") == b"say "
    for _ in range(2000):
        assert masker.write(b"\x1b[31m" * 100) == b""
        assert len(masker._held) < 2 * HELD_BYTES
    assert masker.write(b"word!") == b"***!"


def test_the_last_line_is_told_masked_and_whole():
    buffer = OutputBuffer(redaction=Redaction(["p" * 3000]))
    buffer.write(b"first\nrefused " + b"p" * 3000 + b" for this\n\n")
    assert buffer.last_line() == "refused *** for this"
