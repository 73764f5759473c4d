"""Audit: what is written down of every change, and how the record is sealed.

A state changes only as a :class:`Transition`: the new nouns together with the events that explain them, saved in one
commit, so an unaudited change cannot be expressed. Each event is a row of its stream, its body canonical bytes; a seal links
every row, across streams, into one gap-free chain. The format is described for auditors in ``docs/audit-format.md``. Free
text stands beside the chain, salted; the chain holds its digest, so the text can be erased and the chain still verifies.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any, Final, Generic, TypeVar

from approvals.canonical import Value, decode, encode, tagged_hash
from approvals.facts import instant_text
from approvals.masking import masked

VERSION: Final = 1
GENESIS: Final = "0" * 64
"""The chain hash before the first seal."""

ITSELF: Final = "countersign"
"""The actor of what no person and no agent did."""


class Kind(StrEnum):
    """What happened: ``subject.verb``, in the past. Stored; never renamed."""

    REQUEST_OPENED = "request.opened"
    REQUEST_REFUSED = "request.refused"
    REQUEST_ASKED_AGAIN = "request.asked_again"
    REQUEST_VOTED = "request.voted"
    REQUEST_VOTE_VOIDED = "request.vote_voided"
    REQUEST_APPROVED = "request.approved"
    REQUEST_DENIED = "request.denied"
    REQUEST_EXPIRED = "request.expired"
    REQUEST_CANCELLED = "request.cancelled"
    REQUEST_SUPERSEDED = "request.superseded"
    REQUEST_TOKEN_REVOKED = "request.token_revoked"  # noqa: S105 - the name of an event
    ANSWER_REFUSED = "answer.refused"
    EXECUTION_QUEUED = "execution.queued"
    EXECUTION_CLAIMED = "execution.claimed"
    EXECUTION_ARMED = "execution.armed"
    EXECUTION_SENDING = "execution.sending"
    EXECUTION_APPLIED = "execution.applied"
    EXECUTION_REJECTED = "execution.rejected"
    EXECUTION_UNKNOWN = "execution.unknown"
    EXECUTION_STILL_UNKNOWN = "execution.still_unknown"
    EXECUTION_VOIDED = "execution.voided"
    EXECUTION_RETRIED = "execution.retried"
    EXECUTION_ABANDONED = "execution.abandoned"
    EXECUTION_EFFECT = "execution.effect"
    PAUSE_ENGAGED = "pause.engaged"
    PAUSE_REPEATED = "pause.repeated"
    PAUSE_RESUME_ASKED = "pause.resume_asked"
    PAUSE_CONSENTED = "pause.consented"
    PAUSE_ENDED = "pause.ended"
    PAUSE_REFUSED = "pause.refused"
    ALERT_FIRING = "alert.firing"
    ALERT_RESOLVED = "alert.resolved"
    ALERT_GROUP_CHANGED = "alert.group_changed"
    ALERT_GROUP_RESOLVED = "alert.group_resolved"
    CARD_POSTING = "card.posting"
    CARD_POSTED = "card.posted"
    CARD_FAILED = "card.failed"
    DIGEST_POSTED = "digest.posted"
    POLICY_LOADED = "policy.loaded"
    TOKEN_CREATED = "agent.token_created"  # noqa: S105 - the name of an event
    TOKEN_REVOKED = "agent.token_revoked"  # noqa: S105 - the name of an event
    INTAKE_REFUSED = "intake.refused"
    INTAKE_REFUSALS = "intake.refusals_counted"
    CLOCK_STEPPED_BACK = "clock.stepped_back"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """One thing that happened, before it has its place in a stream."""

    kind: Kind
    stream: str
    actor: str
    at: datetime
    data: Mapping[str, Value] = field(default_factory=dict)
    """What changed, whole: nouns under their names, and the reasons."""
    private: Mapping[str, str] = field(default_factory=dict)
    """Free text from people or agents, by name: kept beside the chain, salted, and erasable; credentials in it are masked."""

    def __post_init__(self) -> None:
        """Mask here, where every text passes on its way to be kept (I12)."""
        object.__setattr__(self, "private", {name: masked(text) for name, text in self.private.items()})


N = TypeVar("N")
N_co = TypeVar("N_co", covariant=True)
M = TypeVar("M")


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition(Generic[N_co]):
    """New states and the events that explain them: saved together or not at all."""

    noun: N_co
    """What it is about, as it is afterwards."""
    nouns: tuple[Any, ...]
    """Everything that is otherwise afterwards, the noun among it where that is."""
    events: tuple[AuditEvent, ...]

    def then(self, other: "Transition[M]") -> "Transition[M]":
        """Return both, this one first; it is about what the *other* is about."""
        return Transition(noun=other.noun, nouns=self.nouns + other.nouns, events=self.events + other.events)

    def beside(self, other: "Transition[object]") -> "Transition[N_co]":
        """Return both, this one first; it is still about what this one is about."""
        return Transition(noun=self.noun, nouns=self.nouns + other.nouns, events=self.events + other.events)


def changed(noun: N, *events: AuditEvent) -> Transition[N]:
    """Return the transition that changes *noun* alone."""
    return Transition(noun=noun, nouns=(noun,), events=events)


def unchanged(noun: N) -> Transition[N]:
    """Return the transition that leaves *noun* as it is, and tells nothing."""
    return Transition(noun=noun, nouns=(), events=())


def request_stream(escalation: str) -> str:
    """Return the stream of one escalation's story."""
    return f"request:{escalation}"


def agent_stream(agent: str) -> str:
    """Return the stream of one agent: its tokens and its refused calls."""
    return f"agent:{agent}"


PAUSE_STREAM: Final = "pause"
POLICY_STREAM: Final = "policy"
INTAKE_STREAM: Final = "intake"
DELIVERY_STREAM: Final = "delivery"
ALERT_STREAM: Final = "alert"


def private_digest(salt: str, text: str) -> str:
    """Return the digest by which the chain remembers a text that stands beside it."""
    return tagged_hash("countersign/private/1", salt.encode(), text.encode())


def body_of(event: AuditEvent, *, sequence: int, digests: Mapping[str, str]) -> bytes:
    """Return the canonical bytes of *event* at its place in its stream: what is stored and hashed.

    Args:
        event: What happened.
        sequence: Its place in its stream, from 1.
        digests: For each private text, its :func:`private_digest`.
    """
    return encode(
        {
            "version": VERSION,
            "kind": event.kind.value,
            "stream": event.stream,
            "sequence": sequence,
            "actor": event.actor,
            "at": instant_text(event.at),
            "data": event.data,
            "private": digests,
        }
    )


def body_hash(body: bytes) -> str:
    """Return the SHA-256, in hex, of an event's stored bytes."""
    return sha256(body).hexdigest()


def chain_hash(previous: str, *, number: int, stream: str, sequence: int, hashed: str) -> str:
    """Return the chain hash of the seal with that global *number*, from 1, over the event whose body hash is *hashed*."""
    return tagged_hash("countersign/seal/1", previous.encode(), encode([number, stream, sequence, hashed]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """A free text as it is stored beside an event."""

    name: str
    salt: str
    """Empty where it is gone, which no text survives."""
    text: str

    def is_as_written(self, digests: Value) -> bool:
        """Tell whether it is the text that was digested, *digests* being what the event says of its private texts."""
        digest = digests.get(self.name) if isinstance(digests, dict) else None
        return digest == private_digest(self.salt, self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """One stored event together with its seal, as a verifier reads them."""

    number: int
    stream: str
    sequence: int
    body: bytes
    hashed: str
    chain: str
    beside: tuple[Beside, ...] = ()
    """The free texts that stand beside it and were not erased."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """The first record that does not hold, and why."""

    number: int
    stream: str
    sequence: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What verification found."""

    checked: int
    """How many seals were checked."""
    head: str
    """The chain hash of the last good seal."""
    fault: Fault | None
    anchored_at: int | None
    """The global number at which the given outside head was met, if one was given and met."""


def verify(records: Iterable[Sealed], *, head: str | None = None) -> Verdict:
    """Return whether the chain holds, naming the first bad record.

    Args:
        records: Every seal with its event, in the order of their numbers.
        head: A chain hash from outside, such as a digest printed, that the chain must pass through.
    """
    previous, checked, anchored = GENESIS, 0, None
    last: dict[str, int] = {}
    for record in records:
        why = _fault_of(record, previous=previous, number=checked + 1, sequence=last.get(record.stream, 0) + 1)
        if why is not None:
            fault = Fault(number=record.number, stream=record.stream, sequence=record.sequence, why=why)
            return Verdict(checked=checked, head=previous, fault=fault, anchored_at=anchored)
        previous, checked = record.chain, record.number
        last[record.stream] = record.sequence
        if head is not None and record.chain == head:
            anchored = record.number
    return Verdict(checked=checked, head=previous, fault=None, anchored_at=anchored)


def _fault_of(record: Sealed, *, previous: str, number: int, sequence: int) -> str | None:
    if record.number != number:
        return f"seal {number} is missing"
    if record.sequence != sequence:
        return f"event {sequence} of the stream is missing"
    if body_hash(record.body) != record.hashed:
        return "the event's bytes are not those that were hashed"
    expected = chain_hash(previous, number=number, stream=record.stream, sequence=record.sequence, hashed=record.hashed)
    if expected != record.chain:
        return "the seal does not follow from the one before"
    body = facts_in(record.body)
    if (body.get("stream"), body.get("sequence")) != (record.stream, record.sequence):
        return "the event's bytes name another place than the one it stands in"
    changed = next((one for one in record.beside if not one.is_as_written(body.get("private"))), None)
    return None if changed is None else f"the {changed.name} beside the event is not what was written"


def facts_in(data: bytes) -> Mapping[str, Value]:
    """Return the event's facts; none where the bytes are no event."""
    try:
        body = decode(data)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
