"""Text that travels to Slack: strangers' words made harmless and visible, our own values made exact.

Two kinds, never mixed up. :func:`visible` is for words that somebody else wrote (an agent, a monitor, a person's reason): they
are shown by :mod:`approvals.presentation.visible`, as at every door, and nothing that a client of Slack would make live stays
live.
:func:`exact` is for values that are about to be applied: two different values never look the same. Neither result is markup; it
still belongs into ``rich_text`` or ``plain_text``, where a string cannot become a link or a mention. :func:`escaped` is for the
few places that are markup.
"""

import re
from dataclasses import replace
from typing import Final

from approvals.presentation import visible as filtering
from approvals.presentation.visible import VisibleText, by_number

_COLON_CODE: Final = re.compile(r":(?=[\w+'-]{1,100}:)")
_ADDRESS: Final = re.compile(r"\b(mailto|tel|sms|[a-z][a-z0-9+.-]{0,30}(?=://)):", re.IGNORECASE)
_SPACES: Final = re.compile(r" {9,}")

_LINE: Final = 40
"""Characters that a line of a quotation has on a phone."""


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


def shortened(text: str, most: int) -> str:
    """Return *text* with its longest words cut in their middles until it has at most *most* characters, if it can.

    The ends of a name tell more than its beginning; where the whole name is needed, it stands elsewhere.
    """
    longest = max(map(len, text.split(" ")))
    while len(text) > most and longest > _SHORTEST_WORD:
        longest -= 1
        text = " ".join(_without_middle(word, longest) for word in text.split(" "))
    return cut(text, most)


def _without_middle(word: str, most: int) -> str:
    if len(word) <= most:
        return word
    first = most // 2
    return f"{word[:first]}…{word[len(word) - (most - 1 - first) :]}"


_SHORTEST_WORD: Final = 9
"""How much is left of a word at least."""


def visible(text: str) -> VisibleText:
    """Return a stranger's *text* with everything that hides, forges or becomes live in Slack shown as what it is."""
    seen = filtering.visible(text)
    return replace(seen, text=_inert(seen.text.strip()))


def quoted(text: str, most: int) -> str:
    """Return a stranger's *text* for a quotation, cut to *most* characters; never empty, which Slack would refuse.

    It is no taller than so many characters in full lines are: what stands below it is the change, and the buttons.
    """
    *first, last = visible(text).text.split("\n", max(most // _LINE - 1, 0))
    return cut("\n".join([*first, last.replace("\n", " ⏎ ")]), most) or "(nothing)"


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
            parts.append(by_number(character))
    return _SPACES.sub(lambda found: f"\\{{{len(found[0])} spaces}}", "".join(parts))


_NAMED: Final = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _inert(text: str) -> str:
    """Return *text* without what clients make links and pictures of: bare addresses, names between colons."""
    return _COLON_CODE.sub(": ", _ADDRESS.sub(r"\1[:]", text))
