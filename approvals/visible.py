r"""Visible text: what came from outside, with everything that a reader could not see made visible.

Bidirectional controls, zero-width and filler characters, terminal escapes and tag characters let a text read differently
from what it is. They are shown as escapes such as ``\u{202E}``; ``str.isprintable`` is no filter, it lets fillers through.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

_BLANK_LETTERS: Final = frozenset("\u115f\u1160\u3164\uffa0\u2800\u034f\u17b4\u17b5\u180b\u180c\u180d\u180f")
"""Letters, symbols and marks that draw nothing."""

_VISIBLE_CATEGORIES: Final = frozenset({"L", "N", "P", "S", "M"})
_MARKS_IN_A_ROW: Final = 4
"""Real scripts stack fewer combining marks on a letter than this; stacks of them draw over neighbouring lines."""

_RUNS: Final = re.compile(r"(?P<lines>(?: *\n){4,})|(?P<spaces> {4,})")
"""Runs of blanks that push what follows out of sight; lines that hold nothing but spaces are as empty as others."""


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
    collapsed = _RUNS.sub(_counted, escaped)
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


def _counted(run: re.Match[str]) -> str:
    """Return what stands for a long run of blanks: a count of them."""
    if run["lines"]:
        return f"\n[{run['lines'].count(chr(10))} empty lines]\n"
    return f" [{len(run['spaces'])} spaces] "
