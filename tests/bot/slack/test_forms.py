"""Forms: read as the standard library reads them, whatever stands in them."""

from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.slack.inbound.forms import pairs_of

SIGNS = ["%", "%%", "%4", "%41", "%zz", "%\n", "%\r\n", "%E2%82%AC", "%ff", "%00"]
PIECES = st.lists(
    st.sampled_from(
        [
            "%",
            "=",
            "&",
            "+",
            "%%",
            "%4",
            "%41",
            "%zz",
            "%\n",
            "%\r\n",
            "%E2%82%AC",
            "%ff",
            "%00",
            "\n",
            " ",
            "a",
            "é",
            "_",
            ".",
        ]
    ),
    max_size=12,
).map("".join)


def expected(text: str, most: int = 20):
    """Return what the standard library reads."""
    return parse_qsl(text, keep_blank_values=True, max_num_fields=most, errors="replace")


@given(st.one_of(PIECES, st.text(max_size=40)))
@example("a=%\n41")
@example("a=%%0A=")
@example("a=%3D%")
@example("%==41")
@example("a=x%\r\n")
def test_a_form_is_read_as_the_standard_library_reads_it(text):
    """Escapes that are none, line breaks and signs at the end are where the quick way could differ."""
    assert pairs_of(text, most=20) == expected(text)


@given(st.lists(st.tuples(st.text(max_size=20), st.text(max_size=20)), max_size=5))
def test_what_was_encoded_comes_back(pairs):
    """Whatever texts a form holds, those are read."""
    written = [
        (name.encode(errors="replace").decode(), value.encode(errors="replace").decode()) for name, value in pairs
    ]

    assert pairs_of(urlencode(written), most=20) == written


@pytest.mark.parametrize("text", ["&" * 20, "a=1&" * 20 + "b"])
def test_too_many_fields_are_refused(text):
    """One more than the most; empty ones count."""
    with pytest.raises(ValueError, match="fields"):
        pairs_of(text, most=20)
