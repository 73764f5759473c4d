"""Reviews: the trusted part of a card, as a value. What an approver sees of a change is made from this and nothing else.

It holds no vote count, clock or status, so it is the same whenever the card is drawn, and its rendering has one hash: the
*render hash*, fixed when the request is opened and stored with each vote. The agent's words are not in it.
"""

from dataclasses import dataclass
from typing import Protocol

from approvals.change.plan import SHORT, Change, Plan, changes_of
from approvals.change.risk import Risk
from approvals.identity.names import Account, EscalationId
from approvals.policy.ruling import Ruling
from approvals.verbs.verb import Verb


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """Everything trusted that an approver is shown about one change."""

    escalation: EscalationId
    title: str
    """The change in one line, by the verb's own summary."""
    environment: str
    target: str
    agent: str
    on_behalf_of: Account | None
    risk: Risk
    blast: str
    changes: tuple[Change, ...]
    findings: tuple[str, ...]
    """What our own checks found; may name cluster objects."""
    warnings: tuple[str, ...]
    """What the API server warned of, in its words."""
    blind_spots: tuple[str, ...]
    reasons: tuple[str, ...]
    """Why these people are asked."""
    approvers: tuple[str, ...]
    """For each rule, the names of the sets it accepts."""
    quorum: int
    short_fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """What drawing a review gave: the hash of it, and whether all of it fits on the card."""

    hash: str
    whole: bool


class Renderer(Protocol):
    """Draws a review as approvers will see it; the same review always gives the same hash."""

    def __call__(self, review: Review, /) -> Rendered:
        """Return the hash of the drawn review, and whether it fits whole."""
        ...


def review_of(
    plan: Plan,
    ruling: Ruling,
    *,
    fingerprint: str,
    verb: Verb,
    agent: str,
    environment: str,
    on_behalf_of: Account | None,
) -> Review:
    """Return what approvers are shown of *plan*, whose bytes have that *fingerprint*, under *ruling*."""
    return Review(
        escalation=plan.bound.escalation,
        title=verb.summary(plan.bound),
        environment=environment,
        target=str(plan.bound.target),
        agent=agent,
        on_behalf_of=on_behalf_of,
        risk=ruling.risk,
        blast=plan.evidence.blast,
        changes=changes_of(plan.bound),
        findings=plan.evidence.findings,
        warnings=plan.evidence.warnings,
        blind_spots=plan.evidence.blind_spots,
        reasons=ruling.reasons,
        approvers=tuple(" or ".join(one.name for one in panel.sets) for panel in ruling.panels),
        quorum=ruling.quorum,
        short_fingerprint=fingerprint[:SHORT],
    )
