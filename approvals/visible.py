r"""Visible text: what came from outside, with everything that a reader could not see made visible.

Bidirectional controls, zero-width and filler characters, terminal escapes and tag characters let a text read differently
from what it is. They are shown as escapes such as ``\u{202E}``; ``str.isprintable`` is no filter, it lets fillers through.
"""

import unicodedata
from dataclasses import dataclass
from typing import Final

_BLANK_LETTERS: Final = frozenset("\u115f\u1160\u3164\uffa0\u2800\u034f\u17b4\u17b5")
"""Letters, symbols and marks that draw nothing."""

_VISIBLE_CATEGORIES: Final = frozenset({"L", "N", "P", "S", "M"})
_MARKS_IN_A_ROW: Final = 4
"""Real scripts stack fewer combining marks on a letter than this; stacks of them draw over neighbouring lines."""

_BLANKS_IN_A_ROW: Final = 3
"""Runs of spaces or of line ends longer than this push what follows out of sight."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A text as it may be shown, and whether anything in it was hidden."""

    text: str
    hidden: bool


def shown(text: str) -> Shown:
    """Return *text* with what could not be seen made visible and with long runs of blanks counted."""
    parts: list[str] = []
    marks = 0
    for char in text:
        marks = marks + 1 if unicodedata.category(char)[0] == "M" else 0
        parts.append(char if _is_visible(char) and marks <= _MARKS_IN_A_ROW else f"\\u{{{ord(char):04X}}}")
    escaped = "".join(parts)
    collapsed = _collapsed(_collapsed(escaped, " ", "spaces"), "\n", "empty lines")
    return Shown(text=collapsed, hidden=escaped != text or collapsed != escaped)


def visible(text: str) -> str:
    """Return *text* as it may be shown."""
    return shown(text).text


def visible_line(text: str) -> str:
    """Return *text* as it may be shown on one line: line ends are shown as ``⏎``."""
    return visible(text.replace("\n", "⏎"))


def _is_visible(char: str) -> bool:
    if char in " \n":
        return True
    if char in _BLANK_LETTERS or 0xFE00 <= ord(char) <= 0xFE0F or 0xE0100 <= ord(char) <= 0xE01EF:  # noqa: PLR2004 - variation selectors
        return False
    return unicodedata.category(char)[0] in _VISIBLE_CATEGORIES


def _collapsed(text: str, blank: str, name: str) -> str:
    """Return *text* with each run of more than a few *blank* replaced by a count of them."""
    parts: list[str] = []
    run = 0
    for char in (*text, ""):
        if char == blank:
            run += 1
            continue
        parts.append(blank * run if run <= _BLANKS_IN_A_ROW else f"{blank}[{run} {name}]{blank}")
        parts.append(char)
        run = 0
    return "".join(parts)
