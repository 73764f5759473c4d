"""Pauses: what stops everything at once, and what it takes to go on.

Every engage and every end raises one counter, the *epoch*. A vote remembers the epoch it was given in, so that
approvals given before a pause never run after it, however short it was. A duration never ends a pause: when it is over, the
bot asks for the resume, which takes two eligible people. Deadlines go on during a pause: silence denies, paused or not.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, assert_never

from approvals.audit.events import PAUSE_STREAM, AuditEvent, EventKind, Transition, changed, unchanged
from approvals.errors import Malformed, Settled
from approvals.facts import facts_of
from approvals.identity.names import Account, Channel
from approvals.identity.place import Place

RESUMERS: Final = 2
"""How many people a resume takes."""

REPEATED: Final = timedelta(minutes=1)
"""A message that is delivered twice comes again within it; the end is included. A resume asked for that little later than
before is no other wish."""


class ScopeKind(StrEnum):
    """How much a pause stops."""

    ALL = "all"
    AGENT = "agent"
    NAMESPACE = "namespace"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a pause stops: everything, one agent, or one namespace of one environment."""

    kind: ScopeKind
    name: str = ""
    """Empty for all; the agent's name; ``ENVIRONMENT/NAMESPACE``."""

    def covers(self, place: Place) -> bool:
        """Tell whether what happens at *place* is stopped."""
        match self.kind:
            case ScopeKind.ALL:
                return True
            case ScopeKind.AGENT:
                return self.name == place.agent
            case ScopeKind.NAMESPACE:
                return self.name == f"{place.environment}/{place.namespace}"
            case _:
                assert_never(self.kind)

    def __str__(self) -> str:
        """Return it as it is typed: ``all``, ``agent:NAME`` or ``namespace:ENV/NS``."""
        return self.kind.value if self.kind is ScopeKind.ALL else f"{self.kind.value}:{self.name}"


_AGENT: Final = re.compile(r"agent:([a-z][a-z0-9-]*)")
_NAMESPACE: Final = re.compile(r"namespace:([a-z0-9-]+/[a-z0-9-]+)")


def scope_of(text: str) -> Scope:
    """Return the scope that *text* names.

    Raises:
        Malformed: It is none of ``all``, ``agent:NAME``, ``namespace:ENV/NS``.
    """
    if text == "all":
        return Scope(kind=ScopeKind.ALL)
    if found := _AGENT.fullmatch(text):
        return Scope(kind=ScopeKind.AGENT, name=found[1])
    if found := _NAMESPACE.fullmatch(text):
        return Scope(kind=ScopeKind.NAMESPACE, name=found[1])
    raise Malformed("A scope is all, agent:NAME or namespace:ENVIRONMENT/NAMESPACE.", code="unknown_scope")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """One stop, from its engage to its end."""

    id: str
    scope: Scope
    by: Account
    engaged_at: datetime
    engaged_epoch: int
    ask_at: datetime | None
    """When to ask for the resume; the pause goes on until it is given."""
    asked_at: datetime | None = None
    ended_at: datetime | None = None
    ended_epoch: int | None = None
    revision: int = 1
    channels: tuple[Channel, ...] = ()
    """Where its notice is shown."""

    @property
    def is_open(self) -> bool:
        """Whether it still stops things."""
        return self.ended_epoch is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """One person's agreement to end one pause."""

    pause: str
    person: str
    account: Account
    at: datetime


def open_pause_over(pauses: Iterable[Pause], place: Place) -> Pause | None:
    """Return an open pause that covers *place*, or None."""
    return next((pause for pause in pauses if pause.is_open and pause.scope.covers(place)), None)


def survives(pauses: Iterable[Pause], place: Place, *, epoch: int) -> bool:
    """Tell whether something said in *epoch* about *place* still counts: no covering pause is open or has ended since."""
    return all(
        pause.ended_epoch is not None and epoch >= pause.ended_epoch for pause in pauses if pause.scope.covers(place)
    )


def engage(pause: Pause, *, reason: str) -> Transition[Pause]:
    """Return the transition that engages *pause*."""
    event = AuditEvent(
        kind=EventKind.PAUSE_ENGAGED,
        stream=PAUSE_STREAM,
        actor=pause.by,
        at=pause.engaged_at,
        data={"pause": facts_of(pause)},
        private={"reason": reason} if reason else {},
    )
    return changed(pause, event)


def engage_again(
    pause: Pause, *, ask_at: datetime | None, reason: str, known_reason: str, now: datetime
) -> Transition[Pause]:
    """Return what it changes that whoever engaged *pause* asks for the same stop again: nothing, unless more is wanted (I14).

    It never weakens. The later of both instants says when to ask for the resume, and a wish without one says never; a
    reason that is not the one on record is added to it.

    Args:
        pause: The one that is open.
        ask_at: When the resume would be asked for by the new wish alone.
        reason: Why, in the person's words; may be empty.
        known_reason: The reason on record.
        now: The instant of the new wish.
    """
    prolonged = _is_later(ask_at, pause.ask_at)
    said = "" if reason == known_reason else reason
    if not prolonged and not said:
        return unchanged(pause)
    again = replace(pause, revision=pause.revision + 1)
    if prolonged:
        again = replace(again, ask_at=ask_at, asked_at=None)
    event = AuditEvent(
        kind=EventKind.PAUSE_REPEATED,
        stream=PAUSE_STREAM,
        actor=pause.by,
        at=now,
        data={"pause": facts_of(again)},
        private={"reason": said} if said else {},
    )
    return changed(again, event)


def _is_later(wanted: datetime | None, standing: datetime | None) -> bool:
    return standing is not None and (wanted is None or wanted - standing > REPEATED)


def consent_to_end(
    pause: Pause, consent: Consent, *, agreed: frozenset[str], next_epoch: int, reason: str
) -> Transition[Pause]:
    """Return what one more agreement changes: it is written down, and the second person's ends the pause.

    Args:
        pause: The pause named.
        consent: The new one.
        agreed: The persons, by what is known of people now, who agreed before and whose agreement is good right now.
        next_epoch: The epoch that an end would begin.
        reason: Why, in the person's words; may be empty.

    Raises:
        Settled: The pause has ended already.
    """
    if not pause.is_open:
        raise Settled("That pause has ended already.", code="pause_ended")
    persons = agreed | {consent.person}
    said = AuditEvent(
        kind=EventKind.PAUSE_CONSENTED,
        stream=PAUSE_STREAM,
        actor=consent.account,
        at=consent.at,
        data={"consent": facts_of(consent), "pause_id": pause.id},
        private={"reason": reason} if reason else {},
    )
    given = changed(consent, said)
    if len(persons) < RESUMERS:
        seen = replace(pause, revision=pause.revision + 1)
        told = replace(said, data={**said.data, "pause": facts_of(seen)})
        return Transition(noun=seen, nouns=(consent, seen), events=(told,))
    ended = replace(pause, ended_at=consent.at, ended_epoch=next_epoch, revision=pause.revision + 1)
    end = AuditEvent(
        kind=EventKind.PAUSE_ENDED,
        stream=PAUSE_STREAM,
        actor=consent.account,
        at=consent.at,
        data={"pause": facts_of(ended), "persons": sorted(persons)},
    )
    return given.then(changed(ended, end))


def ask_for_resume(pause: Pause, *, now: datetime) -> Transition[Pause]:
    """Return the transition that asks people to resume *pause*, whose duration is over; it goes on meanwhile."""
    asked = replace(pause, asked_at=now, revision=pause.revision + 1)
    event = AuditEvent(
        kind=EventKind.PAUSE_RESUME_ASKED,
        stream=PAUSE_STREAM,
        actor="countersign",
        at=now,
        data={"pause": facts_of(asked)},
    )
    return changed(asked, event)
