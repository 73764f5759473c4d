"""Text that travels: strangers' words made harmless and visible, our own values made exact.

Two kinds, never mixed up. :func:`visible` is for words that somebody else wrote (an agent, a monitor, a person's reason): what
cannot be seen, what draws a status mark, and what pads is shown as what it is. :func:`exact` is for values that are about to be
applied: two different values never look the same. Neither result is markup; it still belongs into ``rich_text`` or
``plain_text``, where a string cannot become a link or a mention. :func:`escaped` is for the few places that are markup.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from approvals.masking import masked

_SPACES: Final = re.compile(r" {9,}")
_LINES: Final = re.compile(r"(?:[ \t]*\n){4,}")
_COLON_CODE: Final = re.compile(r":(?=[\w+'-]{1,100}:)")
_ADDRESS: Final = re.compile(r"\b(mailto|tel|sms|[a-z][a-z0-9+.-]{0,30}(?=://)):", re.IGNORECASE)
_WORD: Final = re.compile(r"\w+")

_CATEGORIES: Final = frozenset({"L", "M", "N", "P", "S"})
_FIRST_PICTURE: Final = 0x2190
"""From here on, "other symbols" are pictures: ticks, locks, coloured circles. Only we draw those."""

_LOOKS_EMPTY: Final = frozenset(
    {
        *range(0x115F, 0x1161),
        *range(0x17B4, 0x17B6),
        *range(0x180B, 0x1810),
        *range(0xFE00, 0xFE10),
        0x034F,
        0x2800,
        0x3164,
        0xFFA0,
        *range(0xE0100, 0xE01F0),
    }
)
"""Letters and marks that draw nothing, although Unicode calls them printable."""

_MARKS_IN_A_ROW: Final = 2
"""More combining marks than this on one letter draw over the lines beside it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Somebody's words as they may be shown, and what was odd about them."""

    text: str
    hidden: int
    """How many characters are shown by their number, because they would be invisible, reorder text or draw a picture."""
    mixed: int
    """How many words mix alphabets, as look-alike names do."""


def escaped(text: str) -> str:
    """Return *text* so that Slack's markup shows it as it stands: exactly three characters need escaping."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def unescaped(text: str) -> str:
    """Return what :func:`escaped` was given: what a person typed into a command arrives escaped."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def cut(text: str, most: int) -> str:
    """Return *text*, or its beginning and how many characters are missing, in at most *most* characters in all."""
    if len(text) <= most:
        return text
    tail = f"… ({len(text):,} characters in all)"
    return text[: most - len(tail)] + tail


def visible(text: str) -> Seen:
    """Return a stranger's *text* with everything that hides or forges shown as what it is."""
    said = masked(text.replace("\r\n", "\n"))
    folded = _LINES.sub(_lines_counted, _SPACES.sub(_spaces_counted, said.replace("\t", "    "))).strip()
    if folded.isascii() and folded.isprintable():  # So are most; there is nothing in it to look at one by one.
        return Seen(text=_inert(folded), hidden=0, mixed=0)
    mixed = sum(_mixes_alphabets(word) for word in _WORD.findall(said))
    shown: list[str] = []
    hidden = marks = 0
    for character in folded:
        marks = marks + 1 if unicodedata.category(character)[0] == "M" else 0
        if character in " \n" or (_is_plain(character) and marks <= _MARKS_IN_A_ROW):
            shown.append(character)
        else:
            shown.append(_by_number(character))
            hidden += 1
    return Seen(text=_inert("".join(shown)), hidden=hidden, mixed=mixed)


def quoted(text: str, most: int) -> str:
    """Return a stranger's *text* for a quotation, cut to *most* characters; never empty, which Slack would refuse."""
    return cut(visible(text).text, most) or "(nothing)"


def visible_line(text: str, most: int) -> str:
    """Return a stranger's *text* on one line of at most *most* characters."""
    return cut(" ".join(visible(text).text.split()), most)


def exact(text: str) -> str:
    """Return *text* in printable ASCII on one line, so that two different texts never look the same."""
    parts: list[str] = []
    for character in text:
        if character in _NAMED:
            parts.append(_NAMED[character])
        elif " " <= character <= "~":
            parts.append(character)
        else:
            parts.append(_by_number(character))
    return _SPACES.sub(lambda found: f"\\{{{len(found[0])} spaces}}", "".join(parts))


_NAMED: Final = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _inert(text: str) -> str:
    """Return *text* without what clients make links and pictures of: bare addresses, names between colons."""
    return _COLON_CODE.sub(": ", _ADDRESS.sub(r"\1[:]", text))


def _by_number(character: str) -> str:
    return f"\\u{{{ord(character):X}}}"


def _is_plain(character: str) -> bool:
    category = unicodedata.category(character)
    if category[0] not in _CATEGORIES or ord(character) in _LOOKS_EMPTY:
        return False
    return category != "So" or ord(character) < _FIRST_PICTURE


def _spaces_counted(found: re.Match[str]) -> str:
    return f" [{len(found[0]):,} spaces] "


def _lines_counted(found: re.Match[str]) -> str:
    return f"\n[{found[0].count(chr(10)):,} line breaks]\n"


_ALPHABETS: Final = frozenset({"LATIN", "CYRILLIC", "GREEK", "FULLWIDTH", "CHEROKEE", "ARMENIAN", "MATHEMATICAL"})
"""Those with letters that look like each other's."""


def _mixes_alphabets(word: str) -> bool:
    if word.isascii():
        return False
    found = {unicodedata.name(letter, "").partition(" ")[0] for letter in word if letter.isalpha()} & _ALPHABETS
    return len(found) > 1 or bool(found & {"FULLWIDTH", "MATHEMATICAL"})
