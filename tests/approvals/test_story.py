"""Stories: one plain sentence an event, made of our own records, with nobody's free text in it."""

from dataclasses import replace
from typing import Any

import pytest

from approvals.audit.events import ITSELF, AuditEvent, EventKind, Transition, request_stream
from approvals.change.plan import Change, Redacted
from approvals.facts import facts_of
from approvals.identity.names import Account, EscalationId, ExecutionId
from approvals.presentation.story import drift_lines, drift_told, sentence_of
from approvals.verbs.verb import Effect, Progress
from approvals.workflow.alert import AlertState, told_of_alert, told_of_group
from approvals.workflow.comparison import Comparison
from approvals.workflow.endings import cancel, cancel_for_token, end_for_upgrade, expire, flag_for_token, supersede
from approvals.workflow.execution import Fate, Phase, Reason
from approvals.workflow.following import followed
from approvals.workflow.landing import abandon, applied, not_landed, rejected, unknown
from approvals.workflow.pause import Consent, Scope, ScopeKind, ask_for_resume, consent_to_end, engage, engage_again
from approvals.workflow.request import Answer, Refusal, Request, State, Via, asked_again, opened
from approvals.workflow.starting import arm, claim, queued, sending
from approvals.workflow.voiding import void
from approvals.workflow.votes import judge
from tests.builders import (
    ADA,
    BORIS,
    CHEN,
    ESCALATION,
    HOUR,
    MINUTE,
    NOON,
    a_context,
    a_pause,
    a_report,
    a_request,
    a_submission,
    a_vote,
    an_action,
    an_alert,
    an_alert_group,
    an_attempt,
    an_authority,
    an_execution,
)

MARK = "<!channel> approve at https://evil.example"
"""Free text as an agent, a person or a monitor might write it."""


def told(event: AuditEvent) -> str:
    """Return *event* in its sentence, people called by an at sign."""
    return sentence_of(event.kind, event.actor, event.data, name=lambda actor: f"@{actor.split(':')[-1]}")


def last(transition: Transition[Any] | None) -> AuditEvent:
    """Return the last event of *transition*."""
    assert transition is not None
    return transition.events[-1]


def plain(kind: EventKind, actor: str = ITSELF, **data: Any) -> AuditEvent:
    """Return an event of the request's stream."""
    return AuditEvent(kind=kind, stream=request_stream(ESCALATION), actor=actor, at=NOON, data=data)


def answered(request: Request, account: str = ADA, answer: Answer = Answer.APPROVE, **context: Any) -> Transition[Any]:
    """Return the transition of one answer, reasoned in free text."""
    seat = a_context(request, **context)
    via = Via.CLI if account.startswith("os:") else Via.SLACK
    return judge(request, a_submission(Account(account), answer, via=via, reason=MARK), seat).transition


def over(state: Phase = Phase.SENDING, **changed: Any) -> Any:
    """Return an execution on its way."""
    return an_execution(state, **changed)


SHOP = Scope(kind=ScopeKind.NAMESPACE, name="prod-eu-1/shop")
REFUSED = a_request(state=State.REFUSED, refusal=Refusal(code="paused", sentence="Paused (all)."), deadline=None)
GIVEN = Consent(pause=a_pause().id, person="ada", account=ADA, at=NOON)
VOIDED = {
    why: plain(EventKind.REQUEST_VOTE_VOIDED, vote=facts_of(a_vote(BORIS, voided_at=NOON, voided_why=why)))
    for why in ("paused", "changed", "ineligible", "person")
}

TOLD: list[tuple[AuditEvent, str]] = [
    (
        last(opened(a_request(), justification={"rationale": MARK}, facts={})),
        (
            "@scaler asked on behalf of @U0CHEN: scale Deployment shop/checkout replicas=6 in prod-eu-1."
            " It is denied automatically at 2026-11-20 12:15 UTC unless approved."
        ),
    ),
    (
        last(
            opened(
                a_request(on_behalf_of=None, supersedes="esc_0", action=an_action("restart")),
                justification={},
                facts={},
            )
        ),
        (
            "@scaler asked: restart Deployment shop/checkout in prod-eu-1, following esc_0."
            " It is denied automatically at 2026-11-20 12:15 UTC unless approved."
        ),
    ),
    (
        last(opened(REFUSED, justification={"rationale": MARK}, facts={})),
        "@scaler asked: scale Deployment shop/checkout replicas=6 in prod-eu-1. Refused at once: Paused (all).",
    ),
    (answered(a_request()).events[0], "@U0ADA approved it."),
    (answered(a_request(), answer=Answer.DENY).events[0], "@U0ADA denied it."),
    (answered(a_request(), "os:olga", Answer.DENY).events[0], "@olga denied it at the command line."),
    (
        answered(a_request(), answer=Answer.DENY, authority=an_authority(seen_at=NOON - HOUR)).events[0],
        "@U0ADA denied it (Slack could not be asked, so remembered authority was used).",
    ),
    (VOIDED["paused"], "The answer of @U0BORIS does not count any more: a pause came after it."),
    (VOIDED["changed"], "The answer of @U0BORIS does not count any more: it was changed, or the change itself was."),
    (
        VOIDED["person"],
        "The answer of @U0BORIS does not count any more: the policy says otherwise by now which person this is.",
    ),
    (VOIDED["ineligible"], "The answer of @U0BORIS does not count any more: this person may not decide it any more."),
    (last(answered(a_request())), "Approved."),
    (last(answered(a_request(), answer=Answer.DENY)), "Denied. Nothing will run."),
    (last(expire(a_request(), now=NOON + HOUR, seen=True)), "It was not decided in time: silence denies."),
    (
        last(expire(a_request(), now=NOON + HOUR, seen=False)),
        "Its deadline passed before it was shown to anybody, so nobody could answer.",
    ),
    (last(cancel(a_request(), a_context(), actor="agent:scaler")), "The agent took it back."),
    (
        last(cancel_for_token(a_request(), a_context())),
        "Cancelled, because the token it was asked with was revoked. Nothing will run.",
    ),
    (
        last(end_for_upgrade(a_request(form=1), None, None, now=NOON)),
        "An upgrade of Countersign ended it. Nothing will run; it can be asked again.",
    ),
    (
        last(flag_for_token(a_request(), a_context(), revoked_at=NOON)),
        "The token it was asked with has been revoked. The question stays open.",
    ),
    (
        last(supersede(a_request(state=State.APPROVED), successor=EscalationId("esc_2"), now=NOON)),
        "The target has changed, so the approval is void. esc_2 asks again.",
    ),
    (
        last(supersede(a_request(state=State.APPROVED), successor=None, now=NOON)),
        "The target has changed, so the approval is void. Nothing asks again.",
    ),
    (
        last(asked_again(a_request(), key="key-2", body_hash="b", token="tok_1", now=NOON)),
        "@scaler asked for the same again under another key; this question answers it.",
    ),
    (
        plain(EventKind.ANSWER_REFUSED, CHEN, answer="approve", via="slack", code="not_an_approver"),
        "@U0CHEN tried to approve it; that does not count (not an approver).",
    ),
    (
        last(
            queued(
                execution_id=ExecutionId("exe_1"),
                escalation=ESCALATION,
                place=a_request().place,
                cluster_uid="c",
                object_uid="o",
                fingerprint="f",
                valid_until=NOON,
                now=NOON,
            )
        ),
        "Queued to be carried out.",
    ),
    (last(claim(over(Phase.QUEUED), now=NOON)), "A worker took it on."),
    (
        last(
            arm(
                over(Phase.CLAIMED, attempts=1),
                resource_version="1",
                object_generation=1,
                request_hash="",
                epoch=0,
                now=NOON,
            )
        ),
        "Every check passed; start 2 is on record.",
    ),
    (
        last(sending(over(Phase.ARMED), an_attempt(), token_id=None, token_expires_at=NOON, now=NOON)),
        "Sending it to the cluster (start 1).",
    ),
    (
        last(
            applied(
                over(), an_attempt(), now=NOON, http_status=200, audit_id=None, comparison=Comparison(), read_back=False
            )
        ),
        "Applied.",
    ),
    (
        last(rejected(over(), an_attempt(), now=NOON, http_status=403, audit_id=None, message="Forbidden.")),
        "Countersign changed nothing: Forbidden.",
    ),
    (
        last(unknown(over(), an_attempt(), now=NOON, message="The reply was lost.", look_again=MINUTE)),
        "It is not known whether it landed: The reply was lost.",
    ),
    (
        last(
            unknown(over(message="Gone."), an_attempt(fate=Fate.UNKNOWN), now=NOON, message="Gone.", look_again=MINUTE)
        ),
        "It is still not known whether it landed: Gone.",
    ),
    (last(void(over(Phase.QUEUED), Reason.PAUSED, now=NOON)), "Not carried out: A pause stopped it before it started."),
    (
        last(not_landed(over(), an_attempt(), now=NOON, message="Somebody was faster.")),
        "Not carried out yet: Somebody was faster.",
    ),
    (
        last(abandon(over(Phase.UNKNOWN), an_attempt(), now=NOON, actor="os:olga", reason=MARK)),
        "Closed by a person who looked at the target.",
    ),
    *(
        (
            plain(
                EventKind.EXECUTION_EFFECT, execution=facts_of(over(Phase.APPLIED, effect=effect, message="6 of 6."))
            ),
            f"{word} 6 of 6.",
        )
        for effect, word in (
            (Effect.IN_PROGRESS, "Under way."),
            (Effect.VERIFIED, "Done."),
            (Effect.FAILED, "Failed."),
            (Effect.TIMED_OUT, "Not finished in time."),
            (Effect.DIFFERS, "Otherwise than approved."),
            (Effect.UNDONE, "Changed by somebody else since."),
        )
    ),
    (last(engage(a_pause(), reason=MARK)), "@U0ADA paused everything (pause_01JD00000000000000000000)."),
    (
        last(engage(a_pause(SHOP, ask_at=NOON + HOUR), reason=MARK)),
        (
            "@U0ADA paused namespace prod-eu-1/shop (pause_01JD00000000000000000000)."
            " It will ask for the resume at 2026-11-20 13:00 UTC; it does not end by itself."
        ),
    ),
    (
        last(engage_again(a_pause(), ask_at=None, reason=MARK, known_reason="", now=NOON)),
        "@U0ADA asked for pause_01JD00000000000000000000 again.",
    ),
    (
        last(engage_again(a_pause(ask_at=NOON), ask_at=NOON + HOUR, reason="", known_reason="", now=NOON)),
        (
            "@U0ADA asked for pause_01JD00000000000000000000 again."
            " It will ask for the resume at 2026-11-20 13:00 UTC; it does not end by itself."
        ),
    ),
    (
        last(ask_for_resume(a_pause(), now=NOON)),
        "The time asked for is over; pause_01JD00000000000000000000 goes on until two people resume it.",
    ),
    (
        last(consent_to_end(a_pause(), GIVEN, agreed=frozenset(), next_epoch=2, reason=MARK)),
        "@U0ADA agreed to resume pause_01JD00000000000000000000; it takes two people.",
    ),
    (
        last(
            consent_to_end(
                a_pause(),
                replace(GIVEN, person=BORIS, account=BORIS),
                agreed=frozenset({f"{ADA}+os:ada"}),
                next_epoch=2,
                reason=MARK,
            )
        ),
        "@U0ADA and @U0BORIS resumed everything. Approvals given before do not run.",
    ),
    (
        plain(EventKind.PAUSE_REFUSED, CHEN, what="engage", code="may_not_pause"),
        "@U0CHEN tried to engage a pause; refused (may not pause).",
    ),
    (told_of_alert(an_alert(), a_report(), token="tok", now=NOON), "An alert is firing."),
    (told_of_alert(an_alert(AlertState.RESOLVED), a_report(), token="tok", now=NOON), "The alert has resolved."),
    (
        told_of_group(an_alert_group(firing=1, total=2), token="tok", now=NOON, counts={}),
        "1 of 2 alerts of the group firing.",
    ),
    (
        told_of_group(an_alert_group(AlertState.RESOLVED), token="tok", now=NOON, counts={}),
        "The alert has resolved.",
    ),
    (
        told_of_group(an_alert_group(AlertState.RESOLVED, total=3), token="tok", now=NOON, counts={}),
        "All 3 alerts have resolved.",
    ),
]


@pytest.mark.parametrize(("event", "sentence"), TOLD, ids=[f"{n} {event.kind}" for n, (event, _) in enumerate(TOLD)])
def test_an_event_is_told_in_one_sentence(event, sentence):
    """What a reader of the thread or of ``audit show`` reads, word for word."""
    assert told(event) == sentence
    assert "evil" not in sentence


@pytest.mark.parametrize("subject", ["request", "answer", "execution", "pause", "alert"])
def test_every_kind_of_a_subject_with_a_thread_has_a_sentence(subject):
    """A kind that is added to one of these subjects must be told in words, not by its name."""
    kinds = {kind for kind in EventKind if kind.value.startswith(f"{subject}.")}

    assert kinds
    assert kinds <= {event.kind for event, _ in TOLD}
    assert not [event.kind for event, sentence in TOLD if event.kind in kinds and str(event.kind) in sentence]


def test_a_kind_without_a_sentence_is_told_by_its_name():
    """A record that a newer version wrote is still told, by whom and what, without its contents."""
    assert told(plain(EventKind.CARD_POSTED, subject=MARK)) == "Countersign: card.posted."
    assert sentence_of("card.framed", ADA, {"text": MARK}, name=lambda _: "Ada") == "Ada: card.framed."


def test_what_the_product_does_itself_is_told_under_its_name():
    """Only people and agents are looked up; the product is never a mention."""
    assert sentence_of(
        EventKind.ANSWER_REFUSED, ITSELF, {"answer": "deny", "code": "late"}, name=lambda _: "nobody"
    ) == ("Countersign tried to deny it; that does not count (late).")


def test_nobodys_words_are_in_any_sentence():
    """What stands beside the chain, as an agent's request or a person's reason does, is added by the door, marked, or not."""
    report = a_report(labels={"a": MARK}, annotations={"b": MARK})
    events = [*(event for event, _ in TOLD), told_of_alert(an_alert(), report, token="tok", now=NOON)]

    private = [text for event in events for text in event.private.values()]
    assert MARK in private
    assert not [event.kind for event in events for text in private if text and text in told(event)]


def test_a_look_that_braces_cannot_format_is_harmless():
    """A sentence that holds braces is told as it is, not taken for a template."""
    done = followed(
        over(Phase.APPLIED, effect=Effect.IN_PROGRESS),
        Progress(effect=Effect.VERIFIED, sentence="{name}"),
        now=NOON,
        look_again=MINUTE,
    )

    assert told(last(done)) == "Done. {name}"


def test_who_approved_is_told_what_is_otherwise():
    """The one event that finds it names them; its lines say what was approved and what is there, hidden values as such."""
    drift = (
        Change(path="/spec/replicas", before=3, after=4),
        Change(path="/spec/x", before=Redacted(mac="m"), after=None),
    )
    (event,) = void(over(Phase.CLAIMED), Reason.DRIFT, now=NOON, drift=drift, approvers=(ADA, "os:olga")).events
    data = event.data

    assert told(event) == (
        "Not carried out: The target is not as it was approved any more. Approved by @U0ADA and @olga: please look."
    )
    assert drift_told(data) == drift
    assert drift_lines(data) == (
        "/spec/replicas: 3 was approved, 4 is there",
        "/spec/x: (a hidden value) was approved, nothing is there",
    )
    assert drift_told({"execution": {"drift": []}}) == ()
