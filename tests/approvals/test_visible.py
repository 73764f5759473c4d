"""Visible text: what a reader cannot see is made visible or counted, so that a text reads as what it is."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.visible import Shown, shown, visible, visible_line

BIDI = [0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
INVISIBLE = [
    *(0x00AD, 0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180B, 0x180C, 0x180D, 0x180E, 0x180F, 0x2028, 0x2029, 0x2800),
    *range(0x200B, 0x2010),
    *range(0x2060, 0x2065),
    *(0x3164, 0xFEFF, 0xFFA0, 0xFE00, 0xFE0E, 0xFE0F, 0x1D173, 0xE0001, 0xE0020, 0xE007F, 0xE0100, 0xE01EF),
]
"""What Unicode calls default-ignorable, and what draws nothing in practice."""
CONTROLS = [*range(0x0A), *range(0x0B, 0x20), *range(0x7F, 0xA0)]
BLANKS = [0x00A0, 0x1680, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000]


@pytest.mark.parametrize(
    "points", [BIDI, INVISIBLE, CONTROLS, BLANKS], ids=["T-RND-05", "T-RND-06", "T-RND-08", "other blanks"]
)
def test_what_hides_is_shown_as_an_escape_and_flagged(points):
    """Direction controls, fillers, terminal escapes and odd blanks: each is escaped by its number, none passes."""
    for point in points:
        assert shown(f"replicas{chr(point)}6") == Shown(text=f"replicas\\u{{{point:04X}}}6", hidden=True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("safe\u202egnirts", "safe\\u{202E}gnirts"),
        ("\x1b[2J", "\\u{001B}[2J"),
        (
            "\x1b]8;;https://evil.example\x07click\x1b]8;;\x07",
            "\\u{001B}]8;;https://evil.example\\u{0007}click\\u{001B}]8;;\\u{0007}",
        ),
        ("\x9b31m", "\\u{009B}31m"),
        ("denied\rapproved", "denied\\u{000D}approved"),
        ("a\tb", "a\\u{0009}b"),
        ("\ud800", "\\u{D800}"),
        ("\U000e0041", "\\u{E0041}"),
    ],
)
def test_terminal_tricks_and_reordering_are_spelt_out(text, said):
    """T-RND-05, 08: a reader in Slack or at a terminal sees the escape, and the terminal does nothing."""
    assert shown(text) == Shown(text=said, hidden=True)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "p99 is 4.1 s against an objective of 1 s",
        "Zażółć gęślą jaźń; ελληνικά; кириллица; 日本語; עברית; العربية; हिन्दी",
        "✅ €5 × 3 ± 0.5 – “so” …",
        "two\nlines   with three spaces\n\n\nand three line ends",
        "e\u0301\u0323\u0302\u0308",
    ],
)
def test_what_can_be_seen_is_left_alone(text):
    """Real scripts, symbols, single marks and short runs of blanks are shown as they are, unflagged."""
    assert shown(text) == Shown(text=text, hidden=False)


def test_a_stack_of_marks_is_cut():
    """More marks on one letter than any script stacks draw over the lines around it; from the fifth on they are escaped."""
    assert visible("a" + "\u0301" * 6 + "b") == "a" + "\u0301" * 4 + "\\u{0301}\\u{0301}b"
    assert visible("a\u0301b\u0301c\u0301d\u0301e\u0301") == "a\u0301b\u0301c\u0301d\u0301e\u0301"


@pytest.mark.parametrize(
    ("padding", "said"),
    [
        (" " * 3, " " * 3),
        (" " * 4, " [4 spaces] "),
        (" " * 50_000, " [50000 spaces] "),
        ("\n" * 3, "\n" * 3),
        ("\n" * 4, "\n[4 empty lines]\n"),
        ("\n" * 50_000, "\n[50000 empty lines]\n"),
        (" \n" * 25_000, "\n[25000 empty lines]\n"),
        ("     \n" * 25_000, "\n[25000 empty lines]\n"),
        ("\n" * 4 + " " * 4, "\n[4 empty lines]\n [4 spaces] "),
        ("\n \n  \n\n ", "\n[4 empty lines]\n "),
    ],
    ids=lambda text: f"{text[:9]!r} of {len(text)}",
)
def test_padding_is_counted_instead_of_drawn(padding, said):
    """T-RND-09: what follows fifty thousand blanks stands right after a count of them, however the blanks are mixed."""
    text = f"harmless{padding}danger"

    assert shown(text) == Shown(text=f"harmless{said}danger", hidden=padding != said)


def test_one_line_stays_one_line():
    """Where a text has one line, line ends are drawn, so that it cannot grow a second one that looks like ours."""
    assert visible_line("a\nb\u2028c") == "a⏎b\\u{2028}c"


@given(st.text(max_size=60))
def test_nothing_unseen_gets_through(text):
    """Whatever comes in, what goes out holds only letters, marks, digits, signs, single spaces and line ends."""
    result = shown(text)

    for char in result.text:
        assert char in " \n" or unicodedata.category(char)[0] in "LMNPS"
    assert result.hidden == (result.text != text)
    assert "    " not in result.text
    assert "\n" not in visible_line(text)


@given(st.text("a \n", max_size=40))
def test_showing_twice_is_showing_once(text):
    """What was made visible is plain text, so that nothing changes when it passes a second door."""
    assert shown(visible(text)) == Shown(text=visible(text), hidden=False)
