"""Wording: what people type to stop something, read so that a slipping thumb stops at least what it meant to stop.

Slack's command and the command line read with it. Going on again is not read here: a resume is typed exactly or it is none.

*The first word* is compared without case, accents, punctuation, quotes, invisible characters and full-width forms.

- It stops where it is, or is one slip away from, one of :data:`STOPS`; a slip is a letter too many, too few, another or two
  swapped, and two of these in a word of five letters or more. A letter that is held down counts once.
- It never stops where it is at least as close to a word that means the opposite or only asks (:data:`NEVER`): ``of`` is as
  close to ``off`` as to ``on``. Said of nothing it is the cheaper mistake: the answer says that nothing was paused.
- A stop with the next word stuck to it (``stopall``), or with a gap in it (``o n``), stops.
- A bare scope, ``all`` or ``now`` stops too: nothing else can be meant by it.
- Everything else stops nothing, which is said.

*The scope* is ``all``, ``agent:NAME``, or ``namespace:ENVIRONMENT/NAMESPACE`` (``ns:`` for short). Only these, written out,
make a stop smaller than everything. A word of any other form (``ns:prod``, ``prod/shop``, ``agnet:scaler``) may mean more than
can be known here, so it stops everything; so do a name with a star and two scopes at once. That is said.
"""

import re
import unicodedata
from dataclasses import dataclass
from datetime import timedelta
from itertools import dropwhile
from typing import Final

from approvals.errors import Malformed, Refused, Unavailable
from approvals.workflow.pause import Scope, ScopeKind, scope_of

STOPS: Final = ("on", "stop", "pause", "halt", "freeze")

NEVER: Final = ("off", "resume", "end", "unpause", "unstop", "unfreeze", "help", "status")
"""Words that never stop anything, slips of theirs included."""

_OTHERWISE: Final = frozenset(
    {
        "any", "are", "can", "cancel", "clear", "continue", "do", "does", "dont", "free", "go", "how", "is", "lift", "list",
        "never", "not", "of", "ok", "okay", "release", "remove", "restart", "show", "start", "undo",
        "was", "what", "when", "which", "who", "why",
    }
)  # fmt: skip
"""Ordinary words that never stop anything either; slips of theirs are nobody's concern."""

_NEGATIONS: Final = frozenset({"no", "non", "un", "de"})
"""Slips of *on*, unless a word that stops comes next: ``no pause``, ``un-pause``."""

_AT_ONCE: Final = frozenset({"all", "everything", "now"})
_EVERYTHING: Final = frozenset({"all", "everything"})
_AND: Final = frozenset({"", "and", "also", "or", "plus", "with"})
_STUCK: Final = frozenset({*STOPS, "agent", "all", "everything", "it", "namespace", "now", "ns"})

MOST_READ: Final = 4_000
"""Characters of what was typed that are looked at: no scope stands behind so many, and more would hold up everybody's clicks."""

LONGEST: Final = timedelta(days=7)
"""After at most this the resume is asked for: a stop is never refused because of the time it names."""

LONGEST_REASON: Final = 500
"""Characters of a person's reason that are kept: one paragraph, and a card bears it."""

UNKNOWN_FORM: Final = (
    "That names no scope in a form that is known, so everything was paused. What makes it smaller is agent:NAME or"
    " namespace:ENVIRONMENT/NAMESPACE."
)
SEVERAL: Final = "More than one scope was named, so everything was paused. To stop less, name one at a time."
NOTHING: Final = "Nothing was paused"
"""How every answer begins to what may have been meant as a stop and stopped nothing."""

_BEFORE_ANYTHING: Final = frozenset({"authority_unknown", "busy", "stopping"})
"""Codes of an outage that kept the stop from being written at all; after any other the reply alone may have been lost."""

NO_TIME: Final = "The time was not understood, so nothing asks for the resume by itself."

_DURATION: Final = re.compile(
    r"([1-9][0-9]{0,4})(?:(s|secs?|seconds?)|(m|mins?|minutes?)|(h|hrs?|hours?)|(d|days?))", re.ASCII
)
_UNITS: Final = (timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1))

_FILLERS: Final = frozenset("\u115f\u1160")
"""Letters that draw nothing: what all such letters of Hangul come down to."""

_GAPS: Final = re.compile(r"[^\w'’]+")
_PICTURE: Final = re.compile(r"[\W_]*:[\w+'-]{1,100}:[\W_]*")
"""How Slack writes an emoji that was typed into a command."""

_MOST_SLIPS: Final = 2
"""How many slips of the thumb are allowed for in one word; more would reach too many other words."""

_LONG: Final = 5
"""From how many letters on a word may hold that many: in four, two slips lead from ``halt`` to ``help``."""

_HELD_DOWN: Final = re.compile(r"(.)\1+")
_SEEMS_A_SCOPE: Final = re.compile(r"(?!.*://)(?:[a-z]+[:=].*|[a-z0-9-]+/[a-z0-9-]+)")
_KINDS: Final = frozenset(
    {"agent", "agents", "namespace", "namespaces", "ns", "env", "environment", "cluster", "only", "just"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """What somebody who typed it means to stop, or more."""

    scope: Scope
    duration: timedelta | None = None
    """When to ask for the resume."""
    reason: str = ""
    remark: str = ""
    """Why it stops more than what was typed seems to say; empty as a rule. A sentence of ours."""


def stop_of(text: str) -> Stop | None:
    """Return what *text*, typed after the command that pauses, stops; None where it stops nothing."""
    # A character that draws nothing may stand inside a word as well as between two.
    read = " ".join(text.split())[:MOST_READ]
    for typed in (_without_invisible(read).split(), _invisible_as_gaps(read).split()):
        words = _without_lead(typed)
        if never_stops(words):
            return None
        if "".join(map(_folded, words[:2])) in STOPS and _folded(words[0]) not in STOPS:
            words = ["".join(words[:2]), *words[2:]]  # ``o n``: the thumb met the space bar.
        if is_stop(words[0]):
            return aimed(words[1:])
        if _folded(words[0]) in _AT_ONCE or _scope(words[0]) is not None:
            return aimed(words)
    return None


def _without_lead(typed: list[str]) -> list[str]:
    """Return *typed* without the quotes, dashes and pictures that stand before the first word.

    Stars among them go with that word: what was bold with a picture in front still ends in a star, which is no pattern then.
    """
    words = list(dropwhile(_is_punctuation, typed))
    stars = "*" * sum(lead.count("*") for lead in typed[: len(typed) - len(words)])
    return [f"{stars}{words[0]}", *words[1:]] if words else []


def aimed(words: list[str]) -> Stop:
    """Return what a stop with *words* after it means: a scope and a time, in either order, then the reason."""
    scopes: list[Scope] = []
    duration: timedelta | None = None
    rest = list(words)
    while rest:
        if (scope := _scope(rest[0])) is not None:
            scopes.append(scope)
        elif duration is None and (named := duration_of(rest[0])) is not None:
            duration = named
        elif not scopes or not _leads_on(rest):
            break
        rest.pop(0)
    everything = Scope(kind=ScopeKind.ALL)
    if everything in scopes:
        return Stop(scope=everything, duration=duration, reason=storable(" ".join(rest)))
    seems_another = bool(rest) and _seems_a_scope(rest[0])
    if len(set(scopes)) > 1 or seems_another:
        remark = SEVERAL if scopes else UNKNOWN_FORM
        return Stop(scope=everything, duration=duration, reason=storable(" ".join(words)), remark=remark)
    return Stop(scope=scopes[0] if scopes else everything, duration=duration, reason=storable(" ".join(rest)))


def _leads_on(words: list[str]) -> bool:
    """Tell whether *words* begin with one that joins a scope to another."""
    if not _folded(words[0]):
        return True
    after = list(dropwhile(lambda word: _folded(word) in _AND, words))
    return _folded(words[0]) in _AND and (not after or _scope(after[0]) is not None or _seems_a_scope(after[0]))


def never_stops(words: list[str]) -> bool:
    """Tell whether *words* begin with one that means the opposite of a stop, or only asks; nothing at all asks, too."""
    forms = _forms(words[0]) if words else ()
    if not any(forms) or any(form in _OTHERWISE for form in forms) or _take_back(words):
        return True
    return is_like_off(words[0])


def asks(words: list[str]) -> bool:
    """Tell whether *words* say nothing, or only ask: no letter and no digit stands in the first that is more than a dash."""
    said = list(dropwhile(_is_punctuation, words))
    return not said or not _folded(said[0])


def is_like_off(word: str) -> bool:
    """Tell whether *word* is as close to one of :data:`NEVER` as to any that stops, slips allowed for."""
    return any(_nearest(form, NEVER) <= min(_slips(form), _nearest(form, STOPS)) for form in _forms(word) if form)


def duration_of(word: str) -> timedelta | None:
    """Return the time, at most a week, that *word*, such as ``90s``, ``30m``, ``2h`` or ``1d``, names, or None."""
    found = _DURATION.fullmatch(_trimmed(word))
    if found is None:
        return None
    unit = next(unit for unit, named in zip(_UNITS, found.groups()[1:], strict=True) if named)
    return min(int(found[1]) * unit, LONGEST)


def storable(text: str) -> str:
    """Return a person's words as they can be kept: what is no character is shown as such, what controls is left out.

    A stop must not fail on how its reason was typed: halves of characters have no bytes, and PostgreSQL takes no NUL.
    """
    kept = (
        "\ufffd" if unicodedata.category(one) == "Cs" else one
        for one in text[: LONGEST_REASON * 4]
        if one in "\n\t" or unicodedata.category(one) != "Cc"
    )
    return "".join(kept)[:LONGEST_REASON]


_WHO_CAN: Final = "If it stays so, call whoever runs Countersign: `countersign status` says why."
"""A full disk and a server that is down look alike from a phone, and trying again mends neither."""


def unpaused(refusal: Refused, *, to_operator: bool = False) -> str:
    """Return what is said of a stop that was refused: first of all that nothing was paused, as far as that is known.

    Who is at the command line is an operator, and told where and why.
    """
    if refusal.sentence.startswith(NOTHING):
        return refusal.sentence
    sure = not isinstance(refusal, Unavailable) or refusal.code in _BEFORE_ANYTHING
    if to_operator:
        return f"{NOTHING}{'' if sure else ', as far as can be told'}. {refusal.for_operators}"
    return (
        f"{NOTHING}. {refusal.sentence}" if sure else f"{NOTHING}, as far as can be told. {refusal.sentence} {_WHO_CAN}"
    )


def _is_punctuation(word: str) -> bool:
    """Tell whether *word* is a quote, a dash or a picture that stands alone; a question mark is a word."""
    plain = _plain(word)
    pictured = _PICTURE.fullmatch(plain) is not None and not is_stop(word)
    return pictured or (not _folded(word) and "?" not in plain)


def is_stop(word: str, *, among: tuple[str, ...] = STOPS) -> bool:
    """Tell whether *word* is, or is a slip of, one of the words *among*; nobody asks whether it is as close to their opposite."""
    forms = [form for form in _forms(word) if len(form) > 1]
    return any(_nearest(form, among) <= _slips(form) or _runs_on(form, among) for form in forms)


def _runs_on(form: str, among: tuple[str, ...]) -> bool:
    """Tell whether *form* is one of *among* with the next word stuck to it: ``stopall``."""
    return any(form.startswith(word) and form[len(word) :] in _STUCK for word in among)


def _take_back(words: list[str]) -> bool:
    """Tell whether a stop is taken back by the little word before it."""
    parts = [_folded(part) for word in words[:2] for part in _GAPS.split(word)]
    match [part for part in parts if part]:
        case [first, then, *_]:
            return first in _NEGATIONS and then in STOPS
        case _:
            return False


def _forms(word: str) -> tuple[str, str]:
    """Return *word* as it is compared: as a whole, and up to the first punctuation in it (``on,all``, ``stop!now``)."""
    first = next(filter(None, _GAPS.split(_trimmed(word))), "")
    return _folded(word), _folded(first)


def _nearest(form: str, words: tuple[str, ...]) -> int:
    """Return how many slips lie between *form* and the nearest of *words*."""
    once = _HELD_DOWN.sub(r"\1", form)
    return min(
        0 if once == _HELD_DOWN.sub(r"\1", word) and len(form) >= len(word) else _distance(form, word) for word in words
    )


def _slips(form: str) -> int:
    return _MOST_SLIPS if len(form) >= _LONG else 1


def _distance(one: str, other: str) -> int:
    """Return how many letters have to be put in, left out, changed or swapped with their neighbour, each at most once."""
    if abs(len(one) - len(other)) > _MOST_SLIPS:  # Nobody slips so often: not worth a look.
        return max(len(one), len(other))
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, start=1):
        before, last, row = row, before, [i]
        for j, wanted in enumerate(other, start=1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != wanted))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == wanted:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
    return row[-1]


def _scope(word: str) -> Scope | None:
    """Return the scope that *word* writes out, whatever stands around it; None where it is none."""
    trimmed, plain = _trimmed(word), _plain(word)
    before, _, after = plain.partition(trimmed) if trimmed else ("", "", "")
    if after.count("*") > before.count("*"):
        return None  # ``agent:scaler*`` means more than that one; ``*agent:scaler*`` is bold.
    if trimmed in _EVERYTHING:
        return Scope(kind=ScopeKind.ALL)
    try:
        return scope_of(re.sub(r"\Ans:", "namespace:", trimmed))
    except Malformed:
        return None


def _seems_a_scope(word: str) -> bool:
    trimmed = _trimmed(word, end=":=*")
    return trimmed.rstrip(":=") in _KINDS or _SEEMS_A_SCOPE.fullmatch(trimmed) is not None


def _trimmed(word: str, *, end: str = "") -> str:
    """Return *word* in small plain letters, without what stands before its first or after its last letter or digit."""
    plain = _plain(word)
    first = next((place for place, character in enumerate(plain) if character.isalnum()), len(plain))
    last = next(
        (place for place in range(len(plain), first, -1) if plain[place - 1].isalnum() or plain[place - 1] in end),
        first,
    )
    return plain[first:last]


def _folded(word: str) -> str:
    """Return only the letters and digits of *word*, small and plain."""
    return "".join(character for character in _plain(word) if character.isalnum())


def _plain(word: str) -> str:
    """Return *word* in small letters without accents, in their everyday form, and without what draws nothing."""
    apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", word).casefold())
    return "".join(one for one in apart if unicodedata.category(one)[0] not in "CM" and one not in _FILLERS)


def _without_invisible(text: str) -> str:
    return "".join(one for one in text if not _is_invisible(one))


def _invisible_as_gaps(text: str) -> str:
    return "".join(" " if _is_invisible(one) else one for one in text)


def _is_invisible(character: str) -> bool:
    """Tell whether *character* only controls or formats. Letters that draw nothing go with :func:`_plain`: they part no words."""
    return unicodedata.category(character)[0] == "C"
