"""The painter: looks up the rows of one subject as they are now, and draws them.

It implements :class:`bot.outbox.delivery.Painter`.

It also stands guard over what is shown: a request's trusted part must hash to what was fixed when the question was put, or
no button is posted beside it.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from typing_extensions import override

from approvals.audit.events import EventKind
from approvals.change.plan import Change, Plan, bound_of, fingerprint_of
from approvals.identity.names import Account
from approvals.policy.policy import Policy
from approvals.ports.policies import Policies
from approvals.ports.reading import Reading
from approvals.presentation.review import Review, review_of
from approvals.verbs.registry import verb_called
from approvals.workflow.deciding import may_count, ruling_today
from approvals.workflow.execution import Execution
from approvals.workflow.pause import Pause, open_pause_over, survives
from approvals.workflow.request import FORM, LATELY, Answer, Earlier, Request, State, earlier_of
from approvals.workflow.votes import Vote, missing_approvals
from bot.outbox.delivery import Detail, Drawn, DrawReason, NoSubject, NotAsApproved, Painter, ThreadEvent, Unsendable
from bot.slack.kit.message import Message, checked
from bot.slack.messages.agent_part import AgentWords
from bot.slack.messages.alert_message import ALERTS, alert_message, refused_message
from bot.slack.messages.card import NEVER, CardState, approvers, outcome_card, request_card, without_words
from bot.slack.messages.pause_message import PauseNotice, pause_message
from bot.slack.messages.plain_message import (
    plain_alert,
    plain_lines,
    plain_pause,
    plain_refused,
    plain_request,
    plain_subject,
)
from bot.slack.messages.review_part import draw_review
from bot.slack.messages.thread_message import thread_message


class SlackPainter(Painter[Message]):
    """Draws for Slack. Nothing leaves it unchecked."""

    def __init__(self, policies: Policies) -> None:
        """Keep who knows the policy in force: a card counts by the ruling that decides now."""
        self._policies = policies

    @override
    def card(self, reading: Reading, drawn: Drawn, occasion: DrawReason) -> Message:
        """Return the message that shows a subject as it is now.

        Raises:
            NotAsApproved: Its trusted part has changed, and a button would stand beside it.
            NoSubject: There is no such subject.
            bot.outbox.delivery.Unsendable: It breaks a rule of what may leave.
        """
        message = self._card(reading, drawn, occasion)
        if drawn.detail < Detail.LINE:
            return checked(message)
        try:
            return checked(message)
        except Unsendable:
            return checked(plain_subject(drawn.subject))

    def _card(self, reading: Reading, drawn: Drawn, occasion: DrawReason) -> Message:
        if drawn.kind == "request":
            return _request(reading, drawn, occasion, self._policies.current())
        return _DRAWERS[drawn.kind](reading, drawn, occasion)

    @override
    def lines(self, told: tuple[ThreadEvent, ...], detail: Detail) -> Message:
        """Return one message for the thread that tells some events, oldest first, of one subject.

        Raises:
            bot.outbox.delivery.Unsendable: It breaks a rule of what may leave.
        """
        if detail is Detail.LINE:
            return checked(plain_lines(told))
        return checked(thread_message(told, quoting=detail is Detail.FULL))


def review_now(reading: Reading, request: Request) -> Review | None:
    """Return what the stored plan and ruling give an approver to see, or None where the plan cannot be read any more."""
    stored = reading.plan(request.fingerprint or "")
    if stored is None or request.ruling is None:
        return None
    try:
        bound = bound_of(stored.bound)
    except (ValueError, TypeError, KeyError):
        return None
    return review_of(
        Plan(bound=bound, evidence=stored.evidence),
        request.ruling,
        fingerprint=fingerprint_of(stored.bound),
        verb=verb_called(bound.verb),
        agent=request.agent,
        environment=request.environment,
        on_behalf_of=request.on_behalf_of,
    )


def _request(reading: Reading, drawn: Drawn, occasion: DrawReason, policy: Policy) -> Message:
    request = reading.request(drawn.subject)
    if request is None:
        raise NoSubject(drawn.subject)
    if drawn.detail is Detail.LINE:
        rings = occasion is DrawReason.FIRST and request.state is State.PENDING
        return plain_request(request, mentions=approvers(request.ruling) if rings and request.ruling else "")
    if request.form != FORM:
        return outcome_card(request, reading.execution_of(request.id), revision=drawn.revision, occasion=occasion)
    review = review_now(reading, request)
    if review is None or draw_review(review).hash != request.render_hash:
        if request.state is State.PENDING:
            raise NotAsApproved(request.id)
        return outcome_card(request, reading.execution_of(request.id), revision=drawn.revision, occasion=occasion)
    standing = _standing(reading, request, policy)
    if drawn.detail is Detail.REVIEWED:
        standing = without_words(standing)
    return request_card(standing, review, revision=drawn.revision, occasion=occasion)


def _standing(reading: Reading, request: Request, policy: Policy) -> CardState:
    deciding = ruling_today(request, policy)
    texts = reading.texts(request.id)
    votes = reading.votes(request.id)
    pauses = reading.pauses(ended_after=min((vote.epoch for vote in votes), default=reading.epoch()))
    counted = may_count(deciding, _counted(request, votes, pauses))
    return CardState(
        request=request,
        deciding=deciding,
        said=AgentWords(
            texts={name: text for name, text in texts.items() if name == "rationale" or name.startswith("evidence ")},
            breaches=request.breaches,
            confidence=request.confidence,
            limits=policy.limits,
        ),
        approved_by=tuple(vote.account for vote in counted),
        missing=missing_approvals(deciding, counted),
        execution=reading.execution_of(request.id),
        reason=texts.get("reason", "") if request.state is State.DENIED else "",
        paused=open_pause_over(pauses, request.place),
        earlier=_earlier(reading, request),
        drift_before=_drift_of(reading, request.supersedes),
        under_way=_under_way(reading, request),
    )


def _drift_of(reading: Reading, request_id: str | None) -> tuple[Change, ...]:
    """Return in what the target of a request that gave way was no longer what was approved."""
    execution = None if request_id is None else reading.execution_of(request_id)
    return () if execution is None else execution.drift


def _under_way(reading: Reading, request: Request) -> tuple[Execution, ...]:
    """Return what is not over on the same target: beside the review, since it passes while people think."""
    stored = reading.plan(request.fingerprint or "") if request.state is State.PENDING else None
    if stored is None:
        return ()
    bound = bound_of(stored.bound)
    found = {one.id: one for step in bound.steps for one in reading.under_way_on(bound.cluster_uid, step.uid)}
    return tuple(one for _, one in sorted(found.items()))


def _earlier(reading: Reading, request: Request) -> Earlier:
    """Return what became of the same effect lately, whoever asked: beside the review, which stays as it was hashed."""
    if request.effect_key is None or request.state is not State.PENDING:
        return NEVER
    return earlier_of(request, reading.same_effect(request.effect_key, since=request.asked_at - LATELY))


def _counted(request: Request, votes: Iterable[Vote], pauses: tuple[Pause, ...]) -> tuple[Vote, ...]:
    """Return the approvals that no pause has undone; whether their givers still may is judged when it matters."""
    return tuple(
        vote for vote in votes if vote.answer is Answer.APPROVE and survives(pauses, request.place, epoch=vote.epoch)
    )


def _pause(reading: Reading, drawn: Drawn, occasion: DrawReason) -> Message:
    pause = reading.pause(drawn.subject)
    if pause is None:
        raise NoSubject(drawn.subject)
    if drawn.detail is Detail.LINE:
        return plain_pause(pause)
    # All of them are called the reason: what tells them apart is when it was given.
    said = reading.said(pause.id) if drawn.detail is Detail.FULL else ()
    given = [one for one in said if one.name == "reason"]
    notice = PauseNotice(
        pause=pause,
        consents=reading.consents(pause.id),
        reason="\n".join(one.text for one in given if one.kind in {EventKind.PAUSE_ENGAGED, EventKind.PAUSE_REPEATED}),
        reasons_to_resume=tuple(
            (Account(one.actor), one.text) for one in given if one.kind == EventKind.PAUSE_CONSENTED
        ),
    )
    return pause_message(notice, revision=drawn.revision, occasion=occasion)


def _alert(reading: Reading, drawn: Drawn, occasion: DrawReason) -> Message:
    del occasion  # An alert mentions nobody, whenever it is drawn.
    group = reading.alert_group(drawn.subject)
    if group is None:
        return _refused_deliveries(reading, drawn)
    if drawn.detail is Detail.LINE:
        return plain_alert(group)
    full = drawn.detail is Detail.FULL
    shown = [(alert, reading.texts(alert.id) if full else {}) for alert in reading.alerts_in(group.id, limit=ALERTS)]
    held_back = reading.held_back(drawn.channel, besides=group.id)
    return alert_message(group, shown, revision=drawn.revision, held_back=held_back)


def _refused_deliveries(reading: Reading, drawn: Drawn) -> Message:
    refused = reading.refused_deliveries(drawn.subject)
    if refused is None:
        raise NoSubject(drawn.subject)
    if drawn.detail is Detail.LINE:
        return plain_refused(refused)
    return refused_message(refused, revision=drawn.revision)


_DRAWERS: Final[Mapping[str, Callable[[Reading, Drawn, DrawReason], Message]]] = {
    "pause": _pause,
    "alert": _alert,
}
