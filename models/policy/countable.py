"""Countable: of each agent and rule what counting people takes, also where the rest of the entry is faulty.

A quorum that nobody can meet is told together with a misspelt risk beside it, and not after that has been mended.
"""

from collections.abc import Iterator
from typing import Final, TypeVar

from pydantic import ValidationError

from models.policy.mistakes import Path
from models.policy.reading import Document, Scalar, Tree
from models.policy.shapes import AgentShape, AskShape, FileShape, MatchShape
from models.policy.words import ANY, entries_at

S = TypeVar("S", bound=FileShape)

_AGENT_KEYS: Final = ("owners", "verbs", "namespaces")
_ASK_KEYS: Final = ("approvers", "quorum", "owners_may_approve")
_NO_MATTER_AGENT: Final[dict[str, Tree]] = {"charter": Scalar(text="anything", plain=True)}
_NO_MATTER_ASK: Final[dict[str, Tree]] = {
    "risk": Scalar(text="low", plain=True),
    "timeout": {name: Scalar(text="1m", plain=True) for name in ("default", "least", "most")},
}
"""Sound values in the place of those that counting does not look at."""


def counted_agents(document: Document) -> Iterator[tuple[str, AgentShape]]:
    """Yield name and charter of every agent whose owners, verbs and namespaces are sound; the charter's words mean nothing."""
    for path, entry in entries_at(document, "agents", ANY):
        agent = _shape_of(AgentShape, entry, _AGENT_KEYS, _NO_MATTER_AGENT)
        if agent is not None:
            yield str(path[-1]), agent


def counted_rules(document: Document) -> Iterator[tuple[int, MatchShape, AskShape]]:
    """Yield place, match and ask of every rule whose match and people are sound; the ask's risk and times mean nothing."""
    for path, entry in entries_at(document, "rules", ANY):
        place = path[-1]
        match = _shape_of(MatchShape, _only(document, (*path, "match")), tuple(MatchShape.model_fields), {})
        ask = _shape_of(AskShape, _only(document, (*path, "ask")), _ASK_KEYS, _NO_MATTER_ASK)
        if isinstance(place, int) and match is not None and ask is not None and isinstance(entry, dict):
            yield place, match, ask


def _only(document: Document, path: Path) -> "Tree | None":
    return next((found for _, found in entries_at(document, *path)), None)


def _shape_of(shape: type[S], entry: "Tree | None", keys: tuple[str, ...], rest: dict[str, Tree]) -> S | None:
    """Return *entry*, read by its *keys* alone, with *rest* for the others; None where it is not sound in them."""
    if not isinstance(entry, dict):
        return None
    try:
        return shape.model_validate({**{name: entry[name] for name in keys if name in entry}, **rest})
    except ValidationError:
        return None
