"""Delivery: what the relay asks of a workspace, and what can come of handing it a message. The relay knows no Slack.

Drawing and sending are two things: a painter turns rows into a message and touches no network, a poster sends a message and
knows no rows. :mod:`bot.slack` has both; what a message is, is their affair.

Of a message that did not arrive there are five kinds. Whatever the workspace does not name as final means again.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum, StrEnum
from typing import Any, Protocol, TypeVar

import structlog

from approvals.identity.names import Channel
from approvals.ports.reading import Reading

log = structlog.get_logger(__name__)

M = TypeVar("M")
M_co = TypeVar("M_co", covariant=True)
M_contra = TypeVar("M_contra", contravariant=True)


class DrawReason(StrEnum):
    """Why a card is drawn."""

    FIRST = "first"
    """It has never been posted: its approvers are mentioned, so that a phone rings."""
    REPLACEMENT = "replacement"
    """A copy may be out there that we lost track of: it says so and mentions nobody again."""
    UPDATE = "update"
    """In place; it rings nobody's phone."""


class Detail(IntEnum):
    """How much of a message is drawn: less, where the workspace or our own last look does not take it as it is."""

    FULL = 0
    REVIEWED = 1
    """Without what nobody has to see in order to decide: without anybody's free text."""
    LINE = 2
    """One line without buttons: what it is about, and what to do instead."""


class Pace(StrEnum):
    """On whose account a message goes out."""

    DECISION = "decision"
    """A question, its answer or a pause: as fast as the workspace takes it."""
    AGAIN = "again"
    """Another try while something else waits: a small share, so that what fails slows nothing that does not."""
    INFORMATION = "information"
    """What asks nobody anything: a bounded number a minute, whatever else there is to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """What a card is about, and in which revision it is wanted."""

    subject: str
    kind: str
    """``request``, ``pause`` or ``alert``."""
    channel: Channel
    """``TEAM:CHANNEL``."""
    revision: int
    detail: Detail = Detail.FULL


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadEvent:
    """One event for the thread under a card."""

    subject: str
    kind: str
    actor: str
    data: Mapping[str, Any]
    texts: Mapping[str, str]
    """Free texts beside it, by name: somebody's words."""


class NotAsApproved(Exception):
    """The trusted part of the card would not be what was fixed when the question was put: it must not be posted."""


class NoSubject(LookupError):
    """There is nothing to draw: the rows know of no such subject."""


class Unsendable(Exception):
    """A message that must not leave; the sentence says which rule it breaks and never quotes it."""


class Painter(Protocol[M_co]):
    """Draws."""

    def card(self, reading: Reading, drawn: Drawn, occasion: DrawReason) -> M_co:
        """Return the message that shows a subject as it is now.

        Raises:
            NotAsApproved: Its trusted part has changed, and a button would stand beside it.
            NoSubject: There is no such subject.
            Unsendable: It breaks a rule of what may leave.
        """
        ...

    def lines(self, told: tuple[ThreadEvent, ...], detail: Detail) -> M_co:
        """Return one message for the thread that tells some events, oldest first, of one subject.

        Raises:
            Unsendable: It breaks a rule of what may leave.
        """
        ...


class Undelivered(Exception):
    """It was not delivered; the sentence says why, in words for the audit trail and the operator."""

    wait: timedelta | None = None
    """How long the workspace asks us to wait, if it says so."""

    def __init__(self, reason: str) -> None:
        """Keep the reason: Slack's error code, or a few words of ours."""
        super().__init__(reason)
        self.reason = reason


class Later(Undelivered):
    """Not now: too fast, the workspace is down, or it refuses for a reason that can pass. Nothing was delivered."""

    def __init__(self, reason: str, *, wait: timedelta | None = None) -> None:
        """Keep the reason and how long the workspace asks us to wait, if it says so."""
        super().__init__(reason)
        self.wait = wait


class MessageGone(Undelivered):
    """What should be changed, or answered in its thread, is not there any more."""


class Stuck(Undelivered):
    """What should be changed stands there and cannot be changed any more."""


class Rejected(Undelivered):
    """The message itself is not acceptable: the same one never will be, a plainer one may."""


class Uncertain(Undelivered):
    """It may have been delivered: the reply was lost."""


class Poster(Protocol[M_contra]):
    """Sends. Each call is one request; nothing is tried twice in here."""

    def may_post(self, channel: Channel, pace: Pace = Pace.DECISION) -> bool:
        """Tell whether a post in *channel* would be within the pace right now."""
        ...

    def may_update(self, pace: Pace = Pace.DECISION) -> bool:
        """Tell whether an update would be within the pace right now."""
        ...

    def post(
        self, channel: Channel, message: M_contra, *, thread: str | None = None, pace: Pace = Pace.DECISION
    ) -> str:
        """Return the timestamp of a new message in ``TEAM:CHANNEL``, in a thread if one is named.

        Raises:
            Later, Gone, Stuck, Rejected, Uncertain: It was not delivered, or may have been.
        """
        ...

    def update(self, channel: Channel, ts: str, message: M_contra, *, pace: Pace = Pace.DECISION) -> None:
        """Change one of our messages in place.

        Raises:
            Later, Gone, Stuck, Rejected, Uncertain: It was not delivered, or may have been.
        """
        ...


def post_plainer(poster: Poster[M], channel: Channel, messages: Iterable[M], *, pace: Pace) -> str:
    """Return the timestamp of the first of *messages* that the workspace takes.

    Args:
        poster: Sends them.
        channel: ``TEAM:CHANNEL``.
        messages: Each plainer than the one before; one is drawn only where the workspace does not accept those before it.
        pace: On whose account they go out.

    Raises:
        Later, Gone, Stuck, Uncertain: The first that was neither taken nor rejected met this; a plainer one would, too.
        Rejected: None of them is acceptable, or there is none.
    """
    last = Rejected("not_drawn")
    for message in messages:
        try:
            return poster.post(channel, message, pace=pace)
        except Rejected as error:
            log.warning("message.rejected", channel=channel, reason=error.reason)
            last = error
    raise last
