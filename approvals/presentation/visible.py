r"""Visible text: what came from outside, with everything that hides or forges shown as what it is. Every door shows by it.

Bidirectional controls, zero-width and filler characters, terminal escapes and tag characters let a text read differently from
what it is; status marks look like ours; blanks push what follows out of sight. They are shown by number, such as ``\u{202E}``, or
counted (``str.isprintable`` is no filter, it lets fillers through), and what looks like a credential is masked. What one door
needs beside this, such as addresses that a client would link, is that door's.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from approvals.masking import is_invisible, masked

_SPACES: Final = re.compile(r" {9,}")
_LINES: Final = re.compile(r"(?:[ \t]*\n){4,}")
_WORD: Final = re.compile(r"\w+")

_CATEGORIES: Final = frozenset({"L", "M", "N", "P", "S"})
_FIRST_PICTURE: Final = 0x2190
"""From here on, "other symbols" are pictures: ticks, locks, coloured circles. Only we draw those."""

_MARKS_IN_A_ROW: Final = 2
"""More combining marks than this on one letter draw over the lines beside it."""

_ALPHABETS: Final = frozenset({"LATIN", "CYRILLIC", "GREEK", "FULLWIDTH", "CHEROKEE", "ARMENIAN", "MATHEMATICAL"})
"""Those with letters that look like each other's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VisibleText:
    """Somebody's words as they may be shown, and what was odd about them."""

    text: str
    hidden: int
    """How many characters are shown by their number, because they would be invisible, reorder text or draw a picture."""
    mixed: int
    """How many words mix alphabets, as look-alike names do."""


def visible(text: str) -> VisibleText:
    """Return *text* as it may be shown: its lines and short runs of blanks as they are."""
    said = masked(text.replace("\r\n", "\n"))
    folded = _LINES.sub(_lines_counted, _SPACES.sub(_spaces_counted, said.replace("\t", "    ")))
    if folded.isascii() and folded.replace("\n", "").isprintable():
        return VisibleText(text=folded, hidden=0, mixed=0)  # So are most; there is nothing in it to look at one by one.
    mixed = sum(_mixes_alphabets(word) for word in _WORD.findall(said))
    parts: list[str] = []
    hidden = marks = 0
    for character in folded:
        marks = marks + 1 if unicodedata.category(character)[0] == "M" else 0
        if character in " \n" or (_is_plain(character) and marks <= _MARKS_IN_A_ROW):
            parts.append(character)
        else:
            parts.append(by_number(character))
            hidden += 1
    return VisibleText(text="".join(parts), hidden=hidden, mixed=mixed)


def visible_line(text: str) -> str:
    """Return *text* as it may be shown on one line: line ends are drawn as ``⏎``, so that it cannot grow a second one."""
    return visible(text).text.replace("\n", "⏎")


def by_number(character: str) -> str:
    r"""Return what stands for a character that is not shown as it is, such as ``\u{202E}``."""
    return f"\\u{{{ord(character):X}}}"


def _is_plain(character: str) -> bool:
    category = unicodedata.category(character)
    if category[0] not in _CATEGORIES or is_invisible(character):
        return False
    return category != "So" or ord(character) < _FIRST_PICTURE


def _spaces_counted(found: re.Match[str]) -> str:
    return f" [{len(found[0]):,} spaces] "


def _lines_counted(found: re.Match[str]) -> str:
    return f"\n[{found[0].count(chr(10)):,} line breaks]\n"


def _mixes_alphabets(word: str) -> bool:
    if word.isascii():
        return False
    found = {unicodedata.name(letter, "").partition(" ")[0] for letter in word if letter.isalpha()} & _ALPHABETS
    return len(found) > 1 or bool(found & {"FULLWIDTH", "MATHEMATICAL"})
