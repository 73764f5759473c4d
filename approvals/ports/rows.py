"""What the store answers, where it is more than one noun."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from approvals.change.plan import Evidence
from approvals.workflow.escalation import Justification
from approvals.workflow.pause import Pause
from approvals.workflow.request import Request
from approvals.workflow.votes import Vote


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPlan:
    """A plan as it was stored: the bytes that were hashed, and what was seen."""

    fingerprint: str
    bound: bytes
    evidence: Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some of an agent's requests, newest first, and where to go on."""

    requests: tuple[Request, ...]
    next_cursor: str | None
    """Any id before which to go on: not one of a request, where one look did not see them all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecidingRows:
    """What a judgement on one request rests on, beside its row."""

    now: datetime
    epoch: int
    votes: tuple[Vote, ...]
    """The live ones, oldest first."""
    pauses: tuple[Pause, ...]
    """The open ones, and at least those that ended after the oldest of the votes, or *epoch*."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskerState:
    """How an agent stands just before it asks."""

    now: datetime
    asked: Request | None
    """What it has asked under the same key, if anything."""
    body_hash: str | None
    """The hash of the body that came under that key."""
    pending: int
    """How many of its questions wait for an answer."""
    pauses: tuple[Pause, ...]
    """The open ones, whomever they cover."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectAsked:
    """What was asked for one effect."""

    question: Request | None
    """The pending request that is the very same question."""
    lately: tuple[Request, ...]
    """The latest requests of the effect, whoever asked, newest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One request as it lies there, and what whoever answers it needs to know before any lock is taken."""

    now: datetime
    request: Request
    votes: tuple[Vote, ...]
    """The live ones, oldest first."""
    plan: StoredPlan | None
    """The one that its fingerprint names. It never changes, so it need not be read again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventText:
    """One free text, and the event beside which it stands."""

    kind: str
    """The event's."""
    actor: str
    name: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldBack:
    """What only informs and waits to be shown in one channel, which takes so many such posts a minute."""

    count: int
    """At least one."""
    since: datetime
    """When the oldest of it came in."""


def justification_among(texts: Mapping[str, str]) -> dict[str, str]:
    """Return the agent's own words among all that stands beside a request: a voter's reason is not the agent's."""
    return {name: text for name, text in texts.items() if name == "rationale" or name.startswith("evidence ")}


def texts_of(justification: Justification) -> dict[str, str]:
    """Return an agent's words by name, as they stand beside the events."""
    texts = {"rationale": justification.rationale}
    for number, attachment in enumerate(justification.attachments, start=1):
        texts[f"evidence {number} title"] = attachment.title
        texts[f"evidence {number} text"] = attachment.text
    return texts
