"""Mistakes: what is wrong with a policy file, where, in the words of the file, and how to put it right."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from typing import Final, TypeAlias

from typing_extensions import override

Path: TypeAlias = tuple[str | int, ...]
"""The way to an entry: keys, and places in lists from 0."""

_LONGEST_SHOWN: Final = 60
_MOST_LISTED: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyMistake:
    """One mistake."""

    line: int
    """From 1."""
    column: int
    """From 1."""
    path: str
    """As one would say it: ``rules[2].ask.quorum``; empty for the whole file."""
    sentence: str

    @override
    def __str__(self) -> str:
        """Return it as compilers do, ``LINE:COLUMN: PATH: SENTENCE``, so that editors find the place."""
        return f"{self.line}:{self.column}: {f'{self.path}: ' if self.path else ''}{self.sentence}"


class PolicyMistakes(ValueError):
    """A policy file that cannot rule, with all of its mistakes in the order of their lines."""

    def __init__(self, mistakes: Iterable[PolicyMistake]) -> None:
        """Keep them in order."""
        self.mistakes = tuple(sorted(mistakes, key=lambda one: (one.line, one.column, one.path, one.sentence)))
        super().__init__("\n".join(str(mistake) for mistake in self.mistakes))


class Weight(StrEnum):
    """How much a remark matters."""

    WARNING = "warning"
    """Probably not what was meant."""
    NOTE = "note"
    """Right as it stands, and worth knowing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """Something about a policy that may rule as it is."""

    weight: Weight
    line: int
    column: int
    path: str
    sentence: str

    @override
    def __str__(self) -> str:
        """Return it as a mistake would be, with its weight."""
        return f"{self.line}:{self.column}: {self.weight.value}: {self.path}: {self.sentence}"


def path_text(path: Path) -> str:
    """Return *path* as one would say it."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{shown(step)}"
    return text.removeprefix(".")


def shown(text: str) -> str:
    """Return *text* of the file on one line and not too long."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_SHOWN else f"{line[:_LONGEST_SHOWN]}..."


def quoted(text: str) -> str:
    """Return *text* of the file as a sentence names it."""
    return f"`{shown(text)}`"


def listed(names: Iterable[str]) -> str:
    """Return *names*, sorted, as a sentence lists them; in words where there are none."""
    ordered = sorted(names)
    more = f" and {len(ordered) - _MOST_LISTED} more" if len(ordered) > _MOST_LISTED else ""
    return (", ".join(quoted(name) for name in ordered[:_MOST_LISTED]) or "none so far") + more


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a question that names what *word* was probably meant to be, after a space, or nothing."""
    by_lower = {name.lower(): name for name in known}
    close = get_close_matches(word.lower(), by_lower, n=3, cutoff=0.6)
    if not close:
        return ""
    # Among names about as near, the one with the same first letter: people rarely get that wrong.
    meant = next((name for name in close if name[:1] == word[:1].lower()), close[0])
    return f" Did you mean {quoted(by_lower[meant])}?"
