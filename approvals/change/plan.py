"""Plans: what exactly would change, and the fingerprint that binds an approval to it.

A plan is :class:`Bound` plus :class:`Evidence`, two types so that nothing slips across. *Bound* is what
people approve and what runs: it alone is hashed. *Evidence* is what was seen while planning and moves all the
time (resource versions, warnings): it is shown, never hashed. No resource version, clock or floating-point number can
enter a fingerprint, so unrelated churn leaves it alone while any change of substance moves it.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final, cast

from approvals import framed
from approvals.canonical import NotCanonical, TooLarge, Value, decode, encode, hash_of, tagged, tagged_hash
from approvals.change.action import Argument, ProposedAction, Target
from approvals.change.risk import Risk
from approvals.errors import Unplannable
from approvals.facts import facts_of, noun_of
from approvals.identity.names import EscalationId

SCHEMA: Final = 2
"""The version of what a plan is made of. Raise it with every change of :class:`Bound` or of what it holds."""

FINGERPRINT: Final = "countersign/fingerprint/2"
"""The tag of a fingerprint's object, which is a bound plan and this."""

SHORT: Final = 12
"""How many hex digits of a fingerprint people see, and buttons carry."""

MOST_STEPS: Final = 1
"""How many writes a plan may hold: an approval queues one execution, of the first step. More are refused, never cut short."""

REMEMBERED: Final = 256
"""How many plans are kept read, by the very bytes they were read from; some kilobytes each."""


class PatchType(StrEnum):
    """How the body of a step is to be read; the values are the content types."""

    MERGE = "application/merge-patch+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Redacted:
    """A value that is not shown. Its keyed *mac* still tells whether it changes, so that a hidden edit voids too."""

    mac: str


Leaf = None | bool | int | str | Redacted


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One field that changes: its JSON pointer, and what it holds before and after; None where it is absent."""

    path: str
    before: Leaf
    after: Leaf


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A kind of object, as the API server's addresses name it."""

    group: str
    version: str
    plural: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One write: to which object, and what. *body* is JSON with sorted keys and no spaces."""

    resource: Resource
    namespace: str
    name: str
    uid: str
    subresource: str | None
    patch_type: PatchType
    body: str
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """What people approve, and exactly what may run."""

    schema: int
    cluster_uid: str
    escalation: EscalationId
    verb: str
    target: Target
    arguments: Mapping[str, Argument]
    executor: str
    valid_for: timedelta
    """How long after the approval it may start."""
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What was seen while planning. Shown to people, never hashed."""

    seen_at: datetime
    resource_version: str
    generation: int
    """0 for a kind that has none."""
    risk: Risk
    """What the effect itself puts at stake, whatever the policy says."""
    warnings: tuple[str, ...] = ()
    """What the API server warned of, in its words: text from outside."""
    blind_spots: tuple[str, ...] = ()
    """What a dry run cannot show for this verb."""
    findings: tuple[str, ...] = ()
    """What our own checks found, such as an autoscaler that will undo the change."""
    blast: str = ""
    """How much it touches, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What the cluster door found out: everything of a plan but what policy adds."""

    cluster_uid: str
    steps: tuple[Step, ...]
    evidence: Evidence
    image: bytes = b""
    """What the whole target is to look like afterwards; see :mod:`approvals.change.image`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What would change, and what was seen while finding out."""

    bound: Bound
    evidence: Evidence


def bound_bytes(bound: Bound) -> bytes:
    """Return the canonical bytes of *bound*: what is stored, hashed and later executed from."""
    return bytes_of(bound_facts(bound))


def bound_facts(bound: Bound) -> Mapping[str, Value]:
    """Return *bound* as plain values, without the tag."""
    return cast("Mapping[str, Value]", facts_of(bound))


def bytes_of(bound: Mapping[str, Value]) -> bytes:
    """Return the same for a bound plan's facts.

    Raises:
        Unplannable: It holds a number or a text that no hash can hold.
    """
    with _hashable():
        return tagged(FINGERPRINT, bound)


@contextmanager
def _hashable() -> Iterator[None]:
    """Refuse a plan that no hash can speak of, since a target holds what others wrote into it."""
    try:
        yield
    except TooLarge as error:
        raise Unplannable(
            "It would touch a whole number beyond 2^53 - 1, which not every reader of JSON keeps as it is.",
            code="number_too_large",
        ) from error
    except NotCanonical as error:
        raise Unplannable("It would touch a text that is not valid Unicode.", code="not_unicode") from error


@lru_cache(REMEMBERED)
def bound_of(data: bytes) -> Bound:
    """Return the bound plan that :func:`bound_bytes` wrote. A plan is read by its card, each answer and each start.

    Raises:
        ValueError, TypeError, KeyError: *data* is not the bytes of one.
    """
    if framed.is_framed(data):
        return noun_of(Bound, framed.decode(data))
    facts = decode(data)
    if not isinstance(facts, dict) or facts.pop("tag", None) != FINGERPRINT:
        raise ValueError("no bound plan")
    return noun_of(Bound, facts)


def fingerprint_of(data: bytes) -> str:
    """Return the fingerprint, 64 hex digits, of a bound plan's canonical bytes."""
    return framed.tagged_hash("countersign/fingerprint/1", data) if framed.is_framed(data) else hash_of(data)


def effect_keys(bound: Bound, words: Mapping[str, str | None]) -> tuple[str, ...]:
    """Return the keys of what *bound* brings about, sorted, one for each changed field.

    A key is made of the cluster, the workload, the field and the value wanted. So it is the same whoever asks, by which verb,
    and whether the workload was deleted and made again meanwhile.

    Args:
        bound: The plan.
        words: By path, the word that stands for a value that is another each time, or None where the field is only a mark of
            ours and no part of the effect (:attr:`approvals.verbs.verb.Verb.effect_words`).
    """
    return tuple(
        sorted(
            _effect_key(bound, change.path, words.get(change.path) or facts_of(change.after))
            for change in changes_of(bound)
            if words.get(change.path, "") is not None
        )
    )


def effect_key(bound: Bound, words: Mapping[str, str | None]) -> str:
    """Return the one key of a plan's whole effect: the hash of its :func:`effect_keys`.

    A plan whose only changes are marks of ours has the effect of leaving its workload as it is, and a key of that.

    Raises:
        Unplannable: It holds a number or a text that no hash can hold.
    """
    with _hashable():
        keys = effect_keys(bound, words) or (_effect_key(bound, "", None),)
    return tagged_hash("countersign/effects/2", effects=keys)


def _effect_key(bound: Bound, field: str, wanted: Value) -> str:
    target = bound.target
    workload: Value = {"namespace": target.namespace, "kind": target.kind, "name": target.name}
    return tagged_hash("countersign/effect/3", cluster=bound.cluster_uid, workload=workload, field=field, wanted=wanted)


def json_text(value: object) -> str:
    """Return *value* as JSON with sorted keys and no spaces: the form of every body."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def envelope(step: Step, resource_version: str) -> bytes:
    """Return the bytes to send: the step's body plus the precondition *resource_version*, and nothing else."""
    body = json.loads(step.body)
    body["metadata"] = {**body.get("metadata", {}), "resourceVersion": resource_version}
    return json_text(body).encode()


def bytes_hash(data: bytes) -> str:
    """Return the SHA-256, in hex, by which an attempt remembers the bytes it sent."""
    return hash_of(data)


def bind(
    preview: Preview,
    *,
    escalation: EscalationId,
    action: ProposedAction,
    executor: str,
    valid_for: timedelta,
) -> Plan:
    """Return the plan that people are asked about.

    Raises:
        Unplannable: It would change nothing; nobody is asked to approve nothing.
    """
    check_changes(preview)
    bound = Bound(
        schema=SCHEMA,
        cluster_uid=preview.cluster_uid,
        escalation=escalation,
        verb=action.verb,
        target=action.target,
        arguments=dict(sorted(action.parameters.items())),
        executor=executor,
        valid_for=valid_for,
        steps=preview.steps,
    )
    return Plan(bound=bound, evidence=preview.evidence)


def check_changes(preview: Preview) -> None:
    """Return if *preview* is one step that would change something, and all of that can be hashed.

    Raises:
        Unplannable: It would change nothing, and nobody is asked to approve nothing; or it has more steps than are carried out;
            or it holds a number or a text that no hash can hold.
    """
    if not any(step.changes for step in preview.steps):
        raise Unplannable("This would change nothing: the target already is as asked.", code="no_change")
    if len(preview.steps) > MOST_STEPS:
        # Only the first would be sent, and the outcome of the whole would be told by it (I8).
        raise Unplannable("This takes several writes, and a plan holds one.", code="several_steps")
    with _hashable():
        encode([facts_of(step.changes) for step in preview.steps])


def generation_of(thing: Mapping[str, Any]) -> int:
    """Return what a change of a raw object's specification raises, as the server counts it; 0 for a kind that has none."""
    return int(thing["metadata"].get("generation", 0))


def changes_of(bound: Bound) -> tuple[Change, ...]:
    """Return every change of every step, in order."""
    return tuple(change for step in bound.steps for change in step.changes)


def is_short_of(short: str, fingerprint: str) -> bool:
    """Tell whether *short*, as a button carries it, stands for *fingerprint*."""
    return short == fingerprint[:SHORT]


JsonObject = Mapping[str, Any]
