"""Cards for tests of drawing: a request as it stands, and its card, without any store or workspace."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from approvals.change.plan import Change, bound_bytes, fingerprint_of
from approvals.presentation.review import Review, review_of
from approvals.verbs.registry import verb_called
from approvals.verbs.verb import PlanSeed as Fixed
from approvals.workflow.request import Request
from bot.outbox.delivery import DrawReason
from bot.slack.kit.message import Message, checked
from bot.slack.messages.agent_part import AgentWords
from bot.slack.messages.card import CardState, request_card
from sandbox.workspace import Message as PostedMessage
from sandbox.workspace import Strictness
from sandbox.workspace.kit.rules import characters, message_problems
from sandbox.workspace.page.drawing import live_things
from tests.builders import (
    CHEN,
    ESCALATION,
    NOON,
    a_plan,
    a_policy,
    a_preview,
    a_request,
    a_ruling,
    a_step,
    a_target,
    an_action,
    an_autoscaler,
    evidence,
    preview_of,
)

RATIONALE = "p99 is 4.1 s against an objective of 1 s"


def words(rationale: str = RATIONALE, **texts: str) -> AgentWords:
    """Return what an agent says."""
    return AgentWords(
        texts={"rationale": rationale, "evidence 1 title": "p99", "evidence 1 text": "4.1 s", **texts},
        breaches=a_request().breaches,
        confidence=Decimal("0.8"),
        limits=a_policy().limits,
    )


def a_review(*changes: Change, request: Request | None = None, **seen: Any) -> Review:
    """Return the review of scaling ``shop/checkout``, or of other changes and findings."""
    step = a_step(changes=changes) if changes else a_step()
    plan = a_plan(preview=a_preview(steps=(step,), evidence=evidence(**seen)))
    asked = request or a_request()
    assert asked.ruling is not None
    return review_of(
        plan,
        asked.ruling,
        fingerprint=fingerprint_of(bound_bytes(plan.bound)),
        verb=verb_called("scale"),
        agent="scaler",
        environment="prod-eu-1",
        on_behalf_of=CHEN,
    )


def a_review_of_bounds() -> Review:
    """Return the review of letting the autoscaler ``shop/checkout`` keep 2 to 8 pods."""
    action = an_action("hpa_bounds", target=a_target("HorizontalPodAutoscaler"), min_replicas=2, max_replicas=8)
    verb, occasion = verb_called(action.verb), Fixed(escalation=ESCALATION, at=NOON)
    seen, after = an_autoscaler(current=1), an_autoscaler(least=2, most=8, current=1)
    plan = a_plan(preview=preview_of(verb, action, {"object": seen}, after, occasion), action=action)
    asked = a_request(action=action)
    assert asked.ruling is not None
    return review_of(
        plan,
        asked.ruling,
        fingerprint=fingerprint_of(bound_bytes(plan.bound)),
        verb=verb,
        agent="scaler",
        environment="prod-eu-1",
        on_behalf_of=CHEN,
    )


def a_standing_of(request: Request | None = None, **changed: Any) -> CardState:
    """Return how a request stands: pending, nobody has answered."""
    request = request or a_request()
    standing = CardState(
        request=request,
        deciding=request.ruling or a_ruling(),
        said=words(),
        approved_by=(),
        missing=1,
        execution=None,
        reason="",
        paused=None,
    )
    return replace(standing, **changed)


def a_card(
    standing: CardState | None = None,
    review: Review | None = None,
    *,
    occasion: DrawReason = DrawReason.FIRST,
    revision: int = 1,
) -> Message:
    """Return a card that has passed the last look."""
    return checked(
        request_card(standing or a_standing_of(), review or a_review(), revision=revision, occasion=occasion)
    )


def posted(message: Message) -> PostedMessage:
    """Return *message* as the workspace holds it."""
    return PostedMessage(
        channel="C0PROD",
        ts="1.1",
        user="U0COUNTERSIGN",
        text=message.text,
        blocks=[dict(block) for block in message.blocks],
    )


def live(message: Message) -> list[tuple[str, str]]:
    """Return everything in *message* that is live by Slack's hardest reading: mentions, links, broadcasts, channels."""
    return live_things(posted(message), Strictness())


def problems(message: Message) -> list[str]:
    """Return what Slack would refuse *message* for, by rules that share nothing with ours."""
    found = message_problems([dict(block) for block in message.blocks], Strictness())
    long = characters([dict(block) for block in message.blocks]) > 13_200
    return found + (["msg_blocks_too_long"] if long else [])


def short_fingerprint() -> str:
    """Return the short fingerprint of the plan that these cards are about."""
    return fingerprint_of(bound_bytes(a_plan().bound))[:12]
