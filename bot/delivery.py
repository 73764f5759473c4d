"""Delivery: what the relay asks of a workspace, and what can come of handing it a message. The relay knows no Slack.

Drawing and sending are two things: a painter turns rows into a message and touches no network, a poster sends a message and
knows no rows. :mod:`bot.slack` has both; what a message is, is their affair.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, Protocol, TypeVar

from approvals.ports import Reading

M_co = TypeVar("M_co", covariant=True)
M_contra = TypeVar("M_contra", contravariant=True)


class Occasion(StrEnum):
    """Why a card is drawn."""

    FIRST = "first"
    """It has never been posted: its approvers are mentioned, so that a phone rings."""
    REPLACEMENT = "replacement"
    """A copy may be out there that we lost track of: it says so and mentions nobody again."""
    UPDATE = "update"
    """In place; it rings nobody's phone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """What a card is about, and in which revision it is wanted."""

    subject: str
    kind: str
    """``request``, ``pause`` or ``alert``."""
    channel: str
    """``TEAM:CHANNEL``."""
    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One event for the thread under a card."""

    kind: str
    actor: str
    data: Mapping[str, Any]
    texts: Mapping[str, str]
    """Free texts beside it, by name: somebody's words."""


class NotAsApproved(Exception):
    """The trusted part of the card would not be what was fixed when the question was put: it must not be posted."""


class Unsendable(Exception):
    """A message that must not leave; the sentence says which rule it breaks and never quotes it."""


class Painter(Protocol[M_co]):
    """Draws."""

    def card(self, reading: Reading, drawn: Drawn, occasion: Occasion) -> M_co:
        """Return the message that shows a subject as it is now.

        Raises:
            NotAsApproved: Its trusted part has changed, and a button would stand beside it.
            LookupError: There is no such subject.
            Unsendable: It breaks a rule of what may leave.
        """
        ...

    def lines(self, told: tuple[Told, ...]) -> M_co:
        """Return one message for the thread that tells some events, oldest first.

        Raises:
            Unsendable: It breaks a rule of what may leave.
        """
        ...


class Undelivered(Exception):
    """It was not delivered; the sentence says why, in words for the audit trail and the operator."""

    def __init__(self, reason: str) -> None:
        """Keep the reason: Slack's error code, or a few words of ours."""
        super().__init__(reason)
        self.reason = reason


class Later(Undelivered):
    """Not now: too fast, or the workspace is down. Nothing was delivered; it is worth another try."""

    def __init__(self, reason: str, *, wait: timedelta | None = None) -> None:
        """Keep the reason and how long the workspace asks us to wait, if it says so."""
        super().__init__(reason)
        self.wait = wait


class Gone(Undelivered):
    """What should be changed is not there any more."""


class Rejected(Undelivered):
    """It is not taken as it is: no such channel, not a member, a shape that is refused."""

    def __init__(self, reason: str, *, mendable: bool = False) -> None:
        """Keep the reason, and whether an administrator can set it right, so that a later try is worth it."""
        super().__init__(reason)
        self.mendable = mendable


class Uncertain(Undelivered):
    """It may have been delivered: the reply was lost."""


class Poster(Protocol[M_contra]):
    """Sends. Each call is one request; nothing is tried twice in here."""

    def may_post(self, channel: str) -> bool:
        """Tell whether a post in *channel* would be within the pace right now."""
        ...

    def may_update(self) -> bool:
        """Tell whether an update would be within the pace right now."""
        ...

    def post(self, channel: str, message: M_contra, *, thread: str | None = None) -> str:
        """Return the timestamp of a new message in ``TEAM:CHANNEL``, in a thread if one is named.

        Raises:
            Later, Gone, Rejected, Uncertain: It was not delivered, or may have been.
        """
        ...

    def update(self, channel: str, ts: str, message: M_contra) -> None:
        """Change one of our messages in place.

        Raises:
            Later, Gone, Rejected, Uncertain: It was not delivered, or may have been.
        """
        ...
