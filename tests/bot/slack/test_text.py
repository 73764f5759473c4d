"""Text that travels."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.slack.kit.text import cut, escaped, exact, quoted, unescaped, visible, visible_line

LOOKS_EMPTY = "\u200b\u00ad\ufeff\u034f\ufe0f\u3164\u115f\u2800\U000e0041\U000e0001\u2060\u180e\u17b4\uffa0"
REORDERS = "\u202e\u202a\u2066\u2067\u2068\u2069\u061c\u200f\u202c"


@pytest.mark.parametrize("character", REORDERS + LOOKS_EMPTY, ids=lambda one: f"U+{ord(one):04X}")
def test_what_cannot_be_seen_is_shown_by_its_number(character):
    """T-RND-05, T-RND-06: a character that reorders or draws nothing is shown as its number, and counted."""
    seen = visible(f"a{character}b")

    assert seen.text == f"a\\u{{{ord(character):X}}}b"
    assert seen.hidden == 1


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (":white_check_mark: Approved", ": white_check_mark: Approved"),
        (":+1::skin-tone-2:", ": +1:: skin-tone-2:"),
        ("12:30:45", "12: 30:45"),
        ("ratio 3:4", "ratio 3:4"),
    ],
)
def test_a_colon_code_never_becomes_a_picture(written, shown):
    """T-RND-04: what Slack would draw as an emoji is parted by a space."""
    assert visible(written).text == shown


def test_a_drawn_tick_is_shown_by_its_number():
    """T-RND-04: only we draw status marks; a picture in a stranger's text is shown by its number."""
    assert visible("✅ done 🔒").text == "\\u{2705} done \\u{1F512}"


@pytest.mark.parametrize("address", ["https://evil.example/a", "slack://open", "mailto:a@b.example", "HTTP://x"])
def test_a_bare_address_cannot_become_a_link(address):
    """T-RND-02: some clients link any bare address, so none stays one."""
    assert visible(f"see {address}").text == f"see {address.replace(':', '[:]')}"


def test_padding_is_collapsed_with_a_count():
    """T-RND-09: 50,000 spaces or newlines push nothing out of sight."""
    spaces, lines = visible("a" + " " * 50_000 + "b"), visible("a" + "\n" * 50_000 + "b")

    assert (spaces.text, lines.text) == ("a [50,000 spaces] b", "a\n[50,000 line breaks]\nb")


@pytest.mark.parametrize("word", ["\u0440rod", "\uff50\uff52\uff4f\uff44", "pr\u03bfd"])
def test_a_word_of_mixed_alphabets_is_counted(word):
    """T-RND-07: look-alike letters in free text are pointed out."""
    assert visible(f"scale {word} now").mixed == 1


@pytest.mark.parametrize("word", ["prod", "größer", "производство", "παράδειγμα", "日本語テスト"])
def test_a_word_of_one_alphabet_is_left_alone(word):
    """People write in their own alphabets; that is no oddity."""
    seen = visible(f"scale {word} now")

    assert (seen.text, seen.hidden, seen.mixed) == (f"scale {word} now", 0, 0)


def test_stacked_marks_do_not_draw_over_other_lines():
    """Two marks on a letter are writing; the forty-third is an overlay."""
    assert visible("a" + "\u0301" * 43).hidden == 41


@pytest.mark.parametrize(
    "secret",
    [
        "xoxb-1234567890-abcdefghij",
        "xapp-1-A0123456789-1234567890",
        "cst_abcdefghijklmnopqrstuvwxyz0123",
        "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJl",
        "AKIAIOSFODNN7EXAMPLE",
        "-----BEGIN RSA PRIVATE KEY----- MIIE -----END RSA PRIVATE KEY-----",
    ],
)
def test_what_looks_like_a_secret_is_masked(secret):
    """I12: an agent that pastes a credential does not publish it."""
    assert visible(f"use {secret} please").text == "use [looked like a secret] please"


def test_a_cut_says_how_long_the_whole_is():
    """Nothing is cut without a count, and the count is within the limit."""
    short = cut("x" * 5_000, 100)

    assert len(short) == 100
    assert short.endswith("… (5,000 characters in all)")
    assert cut("x" * 100, 100) == "x" * 100


def test_a_quotation_is_no_taller_than_its_characters_would_fill():
    """Lines of one dot each push the change and the buttons off a phone as blanks do (I8); nothing of the words is left out."""
    shown = quoted("\n".join("abcdefghij" * 20), 900)

    assert shown.count("\n") == 21
    assert shown.replace(" ⏎ ", "\n").startswith("\n".join("abcdefghij" * 10))
    assert quoted("one\ntwo\n\nthree", 900) == "one\ntwo\n\nthree"
    assert quoted("a\nb", 30) == "a ⏎ b"


def test_a_line_is_one_line():
    """A name or a title never breaks out of its line."""
    assert visible_line("a\nb\u2028c\rd", 100) == "a b\\u{2028}c\\u{D}d"


@given(st.text())
def test_nothing_invisible_survives(text):
    """Whatever is written, what is shown consists of letters, marks, numbers, punctuation and plain symbols."""
    shown = visible(text).text

    assert all(character in " \n" or unicodedata.category(character)[0] in "LMNPS" for character in shown), ascii(shown)
    assert not any(character in shown for character in LOOKS_EMPTY + REORDERS)


@given(st.text(), st.text())
def test_two_different_values_never_look_the_same(first, second):
    """I8: what is about to be applied is shown exactly."""
    assert (exact(first) == exact(second)) == (first == second)
    assert exact(first).isascii()
    assert "\n" not in exact(first)


@given(st.text(alphabet='ab \\{}"s9pce'), st.text(alphabet='ab \\{}"s9pce'))
def test_no_value_imitates_the_count_of_spaces(first, second):
    """The same, for values made of what the counts themselves are made of."""
    assert (exact(first) == exact(second)) == (first == second)


@given(st.text())
def test_escaping_is_undone_exactly(text):
    """What a person typed into a command is what is stored."""
    assert unescaped(escaped(text)) == text
