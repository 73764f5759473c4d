"""What is noted on the way, for metrics and logs; nothing depends on it."""

from enum import StrEnum
from typing import Protocol


class Mishaps(Protocol):
    """Is told what went wrong with one row of a sweep, which is left aside so that the others are not kept waiting."""

    def happened(self, sweep: str, subject: str, error: Exception) -> None:
        """Note that *sweep* could not deal with the row *subject*, and why."""
        ...


class Milestone(StrEnum):
    """The durable steps of an escalation's way, by name, in order. Tests stop the process at them; logs name them."""

    PLANNED = "planned"
    OPENED = "opened"
    VOTED = "voted"
    CLAIMED = "claimed"
    REPLANNED = "replanned"
    ARMED = "armed"
    MINTED = "minted"
    BEFORE_SENDING = "before_sending"
    SENDING = "sending"
    REPLIED = "replied"
    OUTCOME = "outcome"
    IN_PROGRESS = "in_progress"
    EFFECT = "effect"
    CARD_POSTING = "card_posting"
    CARD_SENT = "card_sent"
    CARD_POSTED = "card_posted"


class Journey(Protocol):
    """Is told of every milestone."""

    def reached(self, milestone: Milestone, subject: str) -> None:
        """Note that *subject* has come to *milestone*: what came before it is durable."""
        ...
