"""Escalations: what an agent asks for, as it came in. A :class:`Justification` is the agent's word and trusted for nothing."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from approvals.change.action import ProposedAction, Wish
from approvals.identity.names import Account


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """A claim that a limit was passed: the limit exists in the policy, the numbers are the agent's."""

    limit: str
    observed: Decimal
    ceiling: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A piece of evidence that the agent attached."""

    title: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Justification:
    """Why the agent says it wants this."""

    rationale: str
    breaches: tuple[Breach, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    confidence: Decimal | None = None
    """From 0 to 1, both included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalation:
    """One agent's request to change one thing, before anybody has judged it."""

    agent: str
    environment: str
    action: ProposedAction
    justification: Justification
    on_behalf_of: Account | None = None
    """The account of the person the agent acts for."""
    timeout: timedelta | None = None
    """How long the agent wants to wait; it may only shorten what the rule says."""
    idempotency_key: str | None
    """None for a successor that Countersign opened itself after a drift."""
    body_hash: str

    @property
    def wish(self) -> Wish:
        """What it asks for, which is all of it that the policy rules on."""
        return Wish(agent=self.agent, environment=self.environment, action=self.action, on_behalf_of=self.on_behalf_of)
