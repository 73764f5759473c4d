"""Visible text: what a reader cannot see is made visible or counted, so that a text reads as what it is."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.masking import MASK
from approvals.presentation.visible import VisibleText, visible, visible_line
from bot.slack.kit import text as slack

BIDI = [0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
INVISIBLE = [
    *(0x00AD, 0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180B, 0x180C, 0x180D, 0x180E, 0x180F, 0x2028, 0x2029, 0x2800),
    *range(0x200B, 0x2010),
    *range(0x2060, 0x2065),
    *(0x3164, 0xFEFF, 0xFFA0, 0xFE00, 0xFE0E, 0xFE0F, 0x1D173, 0xE0001, 0xE0020, 0xE007F, 0xE0100, 0xE01EF),
]
"""What Unicode calls default-ignorable, and what draws nothing in practice."""
CONTROLS = [*range(0x0A), *range(0x0B, 0x20), *range(0x7F, 0xA0)]
TAB = 0x09
PROBES = [
    "\u202e", "\u200b", "\u3164", "\ufe0f", "\u2028", "\u00a0", "\x1b[2J", "\r", "\t", "\r\n", "✅", "e\u0301\u0323\u0302",
    " " * 5, " " * 9, "\n" * 5, "\u0440rod", "xoxb-1234567890-abcdef", "cst_" + "a" * 24, "glpat-" + "a" * 20, "\U000e0041",
    "\ud800",
]  # fmt: skip
BLANKS = [0x00A0, 0x1680, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000]


@pytest.mark.parametrize(
    "points", [BIDI, INVISIBLE, CONTROLS, BLANKS], ids=["T-RND-05", "T-RND-06", "T-RND-08", "other blanks"]
)
def test_what_hides_is_shown_by_its_number_and_counted(points):
    """Direction controls, fillers, terminal escapes and odd blanks: each is shown by its number, none passes."""
    for point in points:
        if point != TAB:
            assert visible(f"replicas{chr(point)}6") == VisibleText(
                text=f"replicas\\u{{{point:X}}}6", hidden=1, mixed=0
            )


@pytest.mark.parametrize(
    ("text", "said", "hidden"),
    [
        ("safe\u202egnirts", "safe\\u{202E}gnirts", 1),
        ("\x1b[2J", "\\u{1B}[2J", 1),
        (
            "\x1b]8;;https://evil.example\x07click\x1b]8;;\x07",
            "\\u{1B}]8;;https://evil.example\\u{7}click\\u{1B}]8;;\\u{7}",
            4,
        ),
        ("\x9b31m", "\\u{9B}31m", 1),
        ("denied\rapproved", "denied\\u{D}approved", 1),
        ("\ud800", "\\u{D800}", 1),
        ("\U000e0041", "\\u{E0041}", 1),
        ("✅ approved 🔒", "\\u{2705} approved \\u{1F512}", 2),
    ],
)
def test_tricks_are_spelt_out(text, said, hidden):
    """T-RND-04, 05, 08: a reader in Slack or at a terminal sees the number, and neither does anything; marks are ours alone."""
    assert visible(text) == VisibleText(text=said, hidden=hidden, mixed=0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "p99 is 4.1 s against an objective of 1 s",
        "Zażółć gęślą jaźń; ελληνικά; кириллица; 日本語; עברית; العربية; हिन्दी",
        "€5 × 3 ± 0.5 – “so” … → ©",
        "two\nlines   with three spaces\n\n\nand three line ends",
        "e\u0301\u0323",
    ],
)
def test_what_can_be_seen_is_left_alone(text):
    """Real scripts, symbols, marks and short runs of blanks are shown as they are, uncounted."""
    assert visible(text) == VisibleText(text=text, hidden=0, mixed=0)


def test_tabs_and_line_ends_of_another_kind_are_as_wide_as_they_look():
    """They hide nothing: a tab is four spaces, and a line ends once."""
    assert visible("a\tb\r\nc") == VisibleText(text="a    b\nc", hidden=0, mixed=0)


def test_a_stack_of_marks_is_cut():
    """Two marks on a letter are writing; more draw over the lines around it, and are shown by their numbers."""
    assert visible("a" + "\u0301" * 4 + "b").text == "a" + "\u0301" * 2 + "\\u{301}\\u{301}b"
    assert visible("a\u0301b\u0301c\u0301d\u0301e\u0301").hidden == 0


@pytest.mark.parametrize(
    ("padding", "said"),
    [
        (" " * 8, " " * 8),
        (" " * 9, " [9 spaces] "),
        (" " * 50_000, " [50,000 spaces] "),
        ("\n" * 3, "\n" * 3),
        ("\n" * 4, "\n[4 line breaks]\n"),
        ("\n" * 50_000, "\n[50,000 line breaks]\n"),
        (" \n" * 25_000, "\n[25,000 line breaks]\n"),
        ("\n \n  \n\n ", "\n[4 line breaks]\n "),
    ],
    ids=lambda text: f"{text[:9]!r} of {len(text)}",
)
def test_padding_is_counted_instead_of_drawn(padding, said):
    """T-RND-09: what follows fifty thousand blanks stands right after a count of them, however the blanks are mixed."""
    assert visible(f"harmless{padding}danger").text == f"harmless{said}danger"


@pytest.mark.parametrize("word", ["\u0440rod", "\uff50\uff52\uff4f\uff44", "pr\u03bfd"])
def test_a_word_of_mixed_alphabets_is_counted(word):
    """T-RND-07: look-alike letters are pointed out; a word in one alphabet is no oddity."""
    assert visible(f"scale {word} now").mixed == 1
    assert visible("größer производство παράδειγμα").mixed == 0


def test_what_looks_like_a_credential_is_masked_at_every_door():
    """I12: also where it is taken apart by what draws nothing."""
    secret = "xoxb-1234567890-abcdefghij"

    assert visible(f"use {secret} please").text == f"use {MASK} please"
    assert visible_line(f"a\n{secret[:6]}\u200b{secret[6:]}") == f"a⏎{MASK}"


def test_one_line_stays_one_line():
    """Where a text has one line, line ends are drawn, so that it cannot grow a second one that looks like ours."""
    assert visible_line("a\nb\u2028c") == "a⏎b\\u{2028}c"


@given(st.text(max_size=60))
def test_nothing_unseen_gets_through(text):
    """Whatever comes in, what goes out holds only letters, marks, digits, signs, short runs of spaces and line ends."""
    result = visible(text).text

    for char in result:
        assert char in " \n" or unicodedata.category(char)[0] in "LMNPS"
    assert " " * 9 not in result
    assert "\n" not in visible_line(text)


@given(st.text("a \n", max_size=40))
def test_showing_twice_is_showing_once(text):
    """What was made visible is plain text, so that nothing changes when it passes a second door."""
    assert visible(visible(text).text) == visible(text)


@pytest.mark.parametrize("door", [slack.visible, visible], ids=["Slack", "the command line"])
@pytest.mark.parametrize("probe", PROBES)
def test_every_door_shows_by_one_filter(door, probe):
    """What one door shows by number, counts or masks, every door does: a second filter once let a credential through."""
    assert door(f"a{probe}b") == visible(f"a{probe}b")
