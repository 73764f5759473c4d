"""Audit: what is written down of every change, and how the record is sealed.

A state changes only as a :class:`Transition`: the new nouns together with the events that explain them, saved in one
commit, so an unaudited change cannot be expressed. Each event is a row of its stream, its body canonical bytes; a seal links
every row, across streams, into one gap-free chain. The format is described for auditors in ``docs/audit-format.md``. Free
text stands beside the chain, salted; the chain holds its hash, so the text can be erased and the chain still verifies.

Events from before RFC 8785 are in :mod:`approvals.framed`. Their chain ended when ``countersign db upgrade`` sealed it; the event
``chain.begun`` names its head, and from there on every record is of the form that is written now.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Generic, TypeVar

from approvals import framed
from approvals.canonical import NotCanonical, Value, decode, hash_of, quoted, tagged, tagged_hash
from approvals.facts import instant_text
from approvals.masking import masked

EVENT: Final = "countersign/event/2"
"""The tag of an event's body."""

SEAL: Final = "countersign/seal/2"
"""The tag of a seal's object."""

GENESIS: Final = "0" * 64
"""The chain hash before the first seal."""

ITSELF: Final = "countersign"
"""The actor of what no person and no agent did."""


class EventKind(StrEnum):
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
    CHAIN_BEGUN = "chain.begun"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """One thing that happened, before it has its place in a stream."""

    kind: EventKind
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


def private_hash(salt: str, text: str) -> str:
    """Return the hash by which the chain remembers a text that stands beside it."""
    return tagged_hash("countersign/private/2", salt=salt, text=text)


def body_of(event: AuditEvent, *, sequence: int, private: Mapping[str, str]) -> bytes:
    """Return the canonical bytes of *event* at its place in its stream: what is stored and hashed.

    Args:
        event: What happened.
        sequence: Its place in its stream, from 1.
        private: For each private text, its :func:`private_hash`.
    """
    return tagged(
        EVENT,
        {
            "kind": event.kind.value,
            "stream": event.stream,
            "sequence": sequence,
            "actor": event.actor,
            "at": instant_text(event.at),
            "data": event.data,
            "private": private,
        },
    )


def body_hash(body: bytes) -> str:
    """Return the hash of an event's stored bytes."""
    return hash_of(body)


def seal_bytes(previous: str, *, number: int, stream: str, sequence: int, hashed: str) -> bytes:
    """Return the canonical bytes of the seal with that global *number*, from 1, over the event whose body hash is *hashed*."""
    # Written out in the order of RFC 8785: a verification makes a million of them, and most of its time went into this one.
    return (
        f'{{"hash":{quoted(hashed)},"number":{number},"previous":{quoted(previous)},"sequence":{sequence},'
        f'"stream":{quoted(stream)},"tag":"{SEAL}"}}'
    ).encode()


def chain_hash(previous: str, *, number: int, stream: str, sequence: int, hashed: str) -> str:
    """Return the hash of those bytes, which the next seal links to."""
    return hash_of(seal_bytes(previous, number=number, stream=stream, sequence=sequence, hashed=hashed))


def framed_seal_bytes(previous: str, *, number: int, stream: str, sequence: int, hashed: str) -> bytes:
    """Return the bytes whose hash the same seal was before RFC 8785."""
    return framed.tagged("countersign/seal/1", previous.encode(), framed.encode([number, stream, sequence, hashed]))


def facts_of_body(body: bytes) -> Mapping[str, Value]:
    """Return what an event's stored bytes say, of whichever form they are.

    Raises:
        approvals.canonical.NotCanonical: They are no event.
    """
    is_framed = framed.is_framed(body)
    facts = framed.decode(body) if is_framed else decode(body)
    if isinstance(facts, dict) and (facts.get("version") == 1 if is_framed else facts.pop("tag", None) == EVENT):
        return facts
    raise NotCanonical("the bytes are no event")


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """A free text as it is stored beside an event."""

    name: str
    salt: str
    """Empty where it is gone, which no text survives."""
    text: str

    def is_as_written(self, facts: Mapping[str, Value]) -> bool:
        """Tell whether it is the text that was hashed, *facts* being what the event says."""
        hashes = facts.get("private")
        hashed = hashes.get(self.name) if isinstance(hashes, dict) else None
        if "version" in facts:  # Only events from before RFC 8785 have one.
            return hashed == framed.tagged_hash("countersign/private/1", self.salt.encode(), self.text.encode())
        return hashed == private_hash(self.salt, self.text)


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
    was_framed = False
    for record in records:
        is_framed = framed.is_framed(record.body)
        why = _fault_of(record, previous=previous, number=checked + 1, sequence=last.get(record.stream, 0) + 1)
        if why is None and is_framed is not was_framed and checked:
            why = _fault_between(record, was_framed=was_framed, number=checked, head=previous)
        was_framed = is_framed
        if why is not None:
            fault = Fault(number=record.number, stream=record.stream, sequence=record.sequence, why=why)
            return Verdict(checked=checked, head=previous, fault=fault, anchored_at=anchored)
        previous, checked = record.chain, record.number
        last[record.stream] = record.sequence
        if head is not None and record.chain == head:
            anchored = record.number
    return Verdict(checked=checked, head=previous, fault=None, anchored_at=anchored)


def seal_of(record: Sealed, *, previous: str) -> bytes:
    """Return the bytes whose hash is the record's chain hash, *previous* being that of the seal before."""
    made = framed_seal_bytes if framed.is_framed(record.body) else seal_bytes
    return made(previous, number=record.number, stream=record.stream, sequence=record.sequence, hashed=record.hashed)


def _fault_of(record: Sealed, *, previous: str, number: int, sequence: int) -> str | None:
    if record.number != number:
        return f"seal {number} is missing"
    if record.sequence != sequence:
        return f"event {sequence} of the stream is missing"
    if body_hash(record.body) != record.hashed:
        return "the event's bytes are not those that were hashed"
    if hash_of(seal_of(record, previous=previous)) != record.chain:
        return "the seal does not follow from the one before"
    facts = facts_in(record.body)
    if (facts.get("stream"), facts.get("sequence")) != (record.stream, record.sequence):
        return "the event's bytes name another place than the one it stands in"
    changed = next((one for one in record.beside if not one.is_as_written(facts)), None)
    return None if changed is None else f"the {changed.name} beside the event is not what was written"


def _fault_between(record: Sealed, *, was_framed: bool, number: int, head: str) -> str | None:
    """Return what is wrong with the record at which the form changes: only an upgrade does that, naming what it sealed."""
    if not was_framed:
        return "an event of the form before stands in the chain that followed it"
    facts = facts_in(record.body)
    if (facts.get("kind"), facts.get("data")) == (EventKind.CHAIN_BEGUN.value, chain_begun(number=number, head=head)):
        return None
    return "a new chain begins here without naming the head of the one before"


def chain_begun(*, number: int, head: str) -> Mapping[str, Value]:
    """Return the data of the event that begins a chain: the seal that the one before ended with."""
    return {"follows": {"number": number, "chain": head}}


def facts_in(body: bytes) -> Mapping[str, Value]:
    """Return what an event's stored bytes say; nothing where they are no event."""
    try:
        return facts_of_body(body)
    except NotCanonical:
        return {}
