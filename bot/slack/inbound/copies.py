"""Copies: whether a button stands on a card of the request that it names. It is the last question before the decide verb.

A copy that we lost track of (a crash between posting it and writing that down) works, and is taken in, where it stands in the
request's own channel. Any other is refused and written down: a forwarded card shows no context that anybody vouched for.
"""

from dataclasses import dataclass
from typing import Protocol

from approvals.audit.events import AuditEvent, EventKind, request_stream
from approvals.errors import Missing, NotEligible
from approvals.identity.names import Account, Channel
from approvals.ports.store import Store, Urgency
from approvals.usecases.people.decide import lane_of
from approvals.workflow.request import Answer, State, Via


class CardCopies(Protocol):
    """Knows which message shows what."""

    def subject_of(self, channel: Channel, ts: str, *, lane: Urgency) -> str | None:
        """Return what the message *ts* of ``TEAM:CHANNEL`` shows, as far as is known."""
        ...

    def adopt(self, subject: str, channel: Channel, ts: str) -> None:
        """Take in a copy that was lost track of.

        Raises:
            Missing: There is no such card in that channel.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagePlace:
    """Where somebody answered: a message of ``TEAM:CHANNEL``."""

    channel: Channel
    ts: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Copies:
    """The check."""

    store: Store
    cards: CardCopies

    def check(self, request_id: str, place: MessagePlace, *, account: Account, answer: Answer) -> None:
        """Return if the message at *place* is a card of that request, one that has just been taken in included.

        Raises:
            Missing: There is no such request.
            NotEligible: It is not; written down.
        """
        known = self.cards.subject_of(place.channel, place.ts, lane=lane_of(answer))
        if known == request_id:
            return
        with self.store.reading(lane_of(answer)) as reading:
            request = reading.request(request_id)
        if request is None or request.state is State.REFUSED:
            raise Missing("There is no such request.")
        if known is None and place.channel == request.channel:
            self.cards.adopt(request_id, place.channel, place.ts)
            return
        self._record(request_id, account, answer)
        raise NotEligible("That is not this request's card, so it cannot be answered there.", code="foreign_card")

    def _record(self, request_id: str, account: Account, answer: Answer) -> None:
        with self.store.writing() as uow:
            uow.record(
                AuditEvent(
                    kind=EventKind.ANSWER_REFUSED,
                    stream=request_stream(request_id),
                    actor=account,
                    at=uow.now,
                    data={"answer": answer.value, "via": Via.SLACK.value, "code": "foreign_card"},
                )
            )
