"""Cards as approvers see them, in every state: golden files, so that a change of a letter is seen in review."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from approvals.audit.events import EventKind
from approvals.change.plan import Change, Redacted
from approvals.change.risk import Risk
from approvals.facts import facts_of
from approvals.identity.names import Account
from approvals.ports.rows import HeldBack
from approvals.presentation.digest import Head, WeeklyDigest
from approvals.verbs.verb import Effect
from approvals.workflow.alert import Alert, AlertState, Cut
from approvals.workflow.execution import Phase, Reason
from approvals.workflow.monitor import RefusedDeliveries
from approvals.workflow.pause import Consent, Scope, ScopeKind
from approvals.workflow.request import Earlier, State
from bot.outbox.delivery import Detail, DrawReason, ThreadEvent
from bot.slack.inbound.deny_form import Denial, form
from bot.slack.kit.message import checked
from bot.slack.messages.alert_message import alert_message, refused_message
from bot.slack.messages.buttons import APPROVE, DENY, ButtonValue
from bot.slack.messages.card import outcome_card, without_words
from bot.slack.messages.digest_message import digest_message
from bot.slack.messages.pause_message import PauseNotice, pause_message
from bot.slack.messages.plain_message import (
    plain_alert,
    plain_lines,
    plain_pause,
    plain_refused,
    plain_request,
    plain_subject,
)
from bot.slack.messages.thread_message import thread_message
from tests.bot.slack.pictures import a_card, a_review, a_review_of_bounds, a_standing_of, problems, short_fingerprint
from tests.builders import (
    ADA,
    BORIS,
    CHANNEL,
    ESCALATION,
    GROUP,
    HOUR,
    MINUTE,
    NOON,
    a_pause,
    a_policy,
    a_request,
    a_rule,
    a_ruling,
    an_alert,
    an_alert_group,
    an_approver_set,
    an_asking,
    an_execution,
)


def _two_of_a_group():
    policy = a_policy(
        approver_sets={"prod-approvers": an_approver_set("prod-approvers", accounts=(), groups=(GROUP,))},
        rules=(a_rule(asking=an_asking(approvers=("prod-approvers",), quorum=2, risk=Risk.HIGH)),),
    )
    return a_request(ruling=a_ruling(policy))


def _decided(state, by=(ADA,), **changed):
    return a_request(state=state, decided_at=NOON + MINUTE, decided_by=by, **changed)


def _executed(phase, effect=None, message=""):
    return a_standing_of(_decided(State.APPROVED), execution=an_execution(phase, effect=effect, message=message))


DRIFT = (
    Change(path="/spec/replicas", before=3, after=4),
    Change(path="/spec/template/spec/containers/[web]/image", before="shop:1", after="<!channel> shop:2"),
    Change(path="/spec/template/spec/containers/[web]/env/[PIN]/value", before=Redacted(mac="a"), after=None),
)

HIGH = replace(a_review(), risk=Risk.HIGH)
WARNED = a_review(
    findings=("The autoscaler checkout keeps this between 2 and 5 pods and may undo the number.",),
    warnings=("spec.template.spec.containers[0].image: deprecated tag",),
)

REQUEST_CARDS = {
    "first": (a_standing_of(), a_review(), DrawReason.FIRST),
    "updated": (a_standing_of(), a_review(), DrawReason.UPDATE),
    "bounds-of-an-autoscaler": (a_standing_of(), a_review_of_bounds(), DrawReason.FIRST),
    "replacement": (a_standing_of(), a_review(), DrawReason.REPLACEMENT),
    "high-risk-two-of-a-group": (a_standing_of(_two_of_a_group(), missing=2), HIGH, DrawReason.FIRST),
    "one-of-two": (a_standing_of(_two_of_a_group(), missing=1, approved_by=(ADA,)), HIGH, DrawReason.UPDATE),
    "warned": (a_standing_of(), WARNED, DrawReason.FIRST),
    "not-whole": (a_standing_of(a_request(shown_whole=False)), a_review(), DrawReason.FIRST),
    "expired-unseen": (
        a_standing_of(_decided(State.EXPIRED, by=(), outcome_code="expired_unseen")),
        a_review(),
        DrawReason.FIRST,
    ),
    "denied": (a_standing_of(_decided(State.DENIED), reason="Not during the sale."), a_review(), DrawReason.UPDATE),
    "denied-at-the-command-line": (a_standing_of(_decided(State.DENIED, ("os:olga",))), a_review(), DrawReason.UPDATE),
    "expired": (a_standing_of(_decided(State.EXPIRED, ())), a_review(), DrawReason.UPDATE),
    "cancelled": (a_standing_of(_decided(State.CANCELLED, ())), a_review(), DrawReason.UPDATE),
    "cancelled-with-its-token": (
        a_standing_of(_decided(State.CANCELLED, (), outcome_code="token_revoked")),
        a_review(),
        DrawReason.UPDATE,
    ),
    "paused": (
        a_standing_of(_two_of_a_group(), missing=2, paused=a_pause(Scope(kind=ScopeKind.AGENT, name="scaler"))),
        HIGH,
        DrawReason.UPDATE,
    ),
    "token-revoked-since": (a_standing_of(a_request(token_revoked_at=NOON)), a_review(), DrawReason.UPDATE),
    "approved-token-revoked-since": (
        a_standing_of(_decided(State.APPROVED, token_revoked_at=NOON), execution=an_execution()),
        a_review(),
        DrawReason.UPDATE,
    ),
    "asked-and-denied-lately": (
        a_standing_of(earlier=Earlier(asked=2, denied=_decided(State.DENIED, id="esc_before"))),
        a_review(),
        DrawReason.FIRST,
    ),
    "asked-while-others-are-under-way": (
        a_standing_of(
            under_way=tuple(
                an_execution(phase, id=f"exe_{number}", escalation=f"esc_{number}", effect=effect, message=message)
                for number, (phase, effect, message) in enumerate(
                    (
                        (Phase.APPLIED, Effect.IN_PROGRESS, "2 of 6 pods ready. A quota keeps new pods out."),
                        (Phase.UNKNOWN, None, "The cluster's answer to the write was lost."),
                        (Phase.QUEUED, None, ""),
                        (Phase.CLAIMED, None, ""),
                    )
                )
            )
        ),
        a_review(),
        DrawReason.UPDATE,
    ),
    "approved-and-overtaken": (
        _executed(
            Phase.APPLIED,
            Effect.OVERTAKEN,
            "esc_01JD0000000000000000000009, a newer change of the same target, was applied before it had finished.",
        ),
        a_review(),
        DrawReason.UPDATE,
    ),
    "superseded": (
        a_standing_of(
            _decided(State.SUPERSEDED, superseded_by="esc_01JD0000000000000000000009"),
            execution=an_execution(
                Phase.VOIDED, reason=Reason.DRIFT, message="The target is not as it was approved.", drift=DRIFT
            ),
        ),
        a_review(),
        DrawReason.UPDATE,
    ),
    "superseded-for-good": (a_standing_of(_decided(State.SUPERSEDED)), a_review(), DrawReason.UPDATE),
    "approved-queued": (_executed(Phase.QUEUED), a_review(), DrawReason.UPDATE),
    "approved-claimed": (_executed(Phase.CLAIMED), a_review(), DrawReason.UPDATE),
    "approved-armed": (_executed(Phase.ARMED), a_review(), DrawReason.UPDATE),
    "approved-sending": (_executed(Phase.SENDING), a_review(), DrawReason.UPDATE),
    "approved-rolling": (
        _executed(Phase.APPLIED, Effect.IN_PROGRESS, "4 of 6 pods ready."),
        a_review(),
        DrawReason.UPDATE,
    ),
    "approved-done": (_executed(Phase.APPLIED, Effect.VERIFIED, "All 6 pods ready."), a_review(), DrawReason.UPDATE),
    "approved-failed": (
        _executed(Phase.APPLIED, Effect.FAILED, "The rollout made no progress within its own deadline."),
        a_review(),
        DrawReason.UPDATE,
    ),
    "approved-otherwise": (
        a_standing_of(
            _decided(State.APPROVED),
            execution=an_execution(
                Phase.APPLIED,
                effect=Effect.DIFFERS,
                message="12 fields differ from what was approved; whether that came with our write or since cannot be told.",
                drift=DRIFT * 4,
            ),
        ),
        a_review(),
        DrawReason.UPDATE,
    ),
    "approved-undone": (
        _executed(Phase.APPLIED, Effect.UNDONE, "An autoscaler has set it to 4 pods since."),
        a_review(),
        DrawReason.UPDATE,
    ),
    "follows-a-drift": (
        a_standing_of(a_request(supersedes="esc_01JD0000000000000000000009"), drift_before=DRIFT[:1]),
        a_review(),
        DrawReason.FIRST,
    ),
    "approved-too-slow": (
        _executed(Phase.APPLIED, Effect.TIMED_OUT, "4 of 6 pods ready."),
        a_review(),
        DrawReason.UPDATE,
    ),
    "approved-rejected": (
        _executed(Phase.REJECTED, None, "The cluster refused it (409 Conflict)."),
        a_review(),
        DrawReason.UPDATE,
    ),
    "approved-unknown": (_executed(Phase.UNKNOWN, None, "The reply was lost."), a_review(), DrawReason.UPDATE),
    "approved-voided": (
        _executed(Phase.VOIDED, None, "A pause stopped it before it started."),
        a_review(),
        DrawReason.UPDATE,
    ),
    "approved-abandoned": (_executed(Phase.ABANDONED, None, "A person has looked."), a_review(), DrawReason.UPDATE),
}


def test_a_resend_shows_as_unknown():
    """While the same bytes go out again, the card says what it said: it is not drawn anew for each further send (I13)."""
    shown = [
        a_card(_executed(phase, None, "The reply was lost."), a_review(), occasion=DrawReason.UPDATE)
        for phase in (Phase.UNKNOWN, Phase.SENDING)
    ]

    assert shown[0] == shown[1]


@pytest.mark.parametrize("name", REQUEST_CARDS)
def test_the_card_of_a_request(golden, name):
    """A card in each state, as it would be posted; Slack's rules hold for it."""
    standing, review, occasion = REQUEST_CARDS[name]

    card = a_card(standing, review, occasion=occasion)

    golden(f"card-{name}.json", {"text": card.text, "blocks": list(card.blocks)})
    assert problems(card) == []


@pytest.mark.parametrize("name", REQUEST_CARDS)
def test_how_it_stands_is_said_before_the_agents_words(name):
    """The first screen of a phone tells a waiting card from a decided one: before anybody pleads, it says how it stands."""
    standing, review, occasion = REQUEST_CARDS[name]

    parts = [block["block_id"].partition(":")[0] for block in a_card(standing, review, occasion=occasion).blocks]

    said = "status" if standing.request.state is State.PENDING else "outcome"
    assert parts.index(said) < parts.index("agent")
    assert ("answer" in parts, "outcome" in parts) == ((said == "status"), (said == "outcome"))


@pytest.mark.parametrize("name", REQUEST_CARDS)
def test_approve_is_there_where_it_works(name):
    """A button that could only be refused is not drawn: not on a card that is not whole, decided, or stopped by a pause."""
    standing, review, occasion = REQUEST_CARDS[name]
    request = standing.request

    card = a_card(standing, review, occasion=occasion)

    pressed = [one["action_id"] for block in card.blocks for one in block.get("elements", ()) if "action_id" in one]
    works = request.state is State.PENDING and request.shown_whole and standing.paused is None
    assert (APPROVE in pressed) is works
    assert (DENY in pressed) is (request.state is State.PENDING)


@pytest.mark.parametrize("name", REQUEST_CARDS)
def test_the_tick_is_for_what_is_done(name):
    """A change that was approved and failed, drifted or was stopped bears no sign of success anywhere on its card."""
    standing, review, occasion = REQUEST_CARDS[name]

    card = a_card(standing, review, occasion=occasion)

    done = standing.execution is not None and standing.execution.effect is Effect.VERIFIED
    assert ("✅" in json.dumps([card.text, *card.blocks], ensure_ascii=False)) is done


def test_a_decided_card_that_cannot_be_drawn_as_it_was(golden):
    """Without its review a decided card still says how it ended; there are no buttons."""
    card = checked(outcome_card(_decided(State.DENIED), None, revision=3, occasion=DrawReason.UPDATE))

    golden("card-outcome-only.json", {"text": card.text, "blocks": list(card.blocks)})
    assert problems(card) == []


PAUSES = {
    "engaged": PauseNotice(pause=a_pause(), consents=(), reason="Latency is up everywhere."),
    "with-a-duration": PauseNotice(
        pause=a_pause(Scope(kind=ScopeKind.AGENT, name="scaler"), ask_at=NOON + 30 * MINUTE), consents=(), reason=""
    ),
    "asked-to-resume-one-agreed": PauseNotice(
        pause=a_pause(Scope(kind=ScopeKind.NAMESPACE, name="prod-eu-1/shop"), ask_at=NOON, asked_at=NOON + MINUTE),
        consents=(Consent(pause=a_pause().id, person=ADA, account=ADA, at=NOON),),
        reason="",
    ),
    "ended": PauseNotice(
        pause=a_pause(ended_at=NOON + HOUR, ended_epoch=2),
        consents=tuple(Consent(pause=a_pause().id, person=one, account=one, at=NOON) for one in (ADA, BORIS)),
        reason="",
    ),
    "ended-with-reasons": PauseNotice(
        pause=a_pause(ended_at=NOON + HOUR, ended_epoch=2),
        consents=tuple(
            Consent(pause=a_pause().id, person=one, account=Account(one), at=NOON) for one in (ADA, "os:olga")
        ),
        reason="Latency is up everywhere.",
        reasons_to_resume=((ADA, "It is down again."), (Account("os:olga"), "Looks fine to me.")),
    ),
}


@pytest.mark.parametrize("name", PAUSES)
def test_the_notice_of_a_pause(golden, name):
    """A pause's notice in each state."""
    message = checked(pause_message(PAUSES[name], revision=1, occasion=DrawReason.UPDATE))

    golden(f"pause-{name}.json", {"text": message.text, "blocks": list(message.blocks)})
    assert problems(message) == []


SAID = {"label alertname": "HighLatency", "annotation summary": "p99 over 4 s", "label severity": "page"}
FIRES = (an_alert(starts_at=NOON), SAID)
ENDED = (an_alert(AlertState.RESOLVED, fingerprint="f2"), SAID | {"label a": "1", "label b": "2"})
ALERT_CARDS = {
    "firing": (an_alert_group(), [FIRES]),
    "resolved": (an_alert_group(AlertState.RESOLVED, resolved_at=NOON + HOUR), [(an_alert(AlertState.RESOLVED), SAID)]),
    "some-of-a-group": (
        an_alert_group(firing=7, total=12, cut={"alerts": 3, "labels": 1, "texts": 2}),
        [*[FIRES] * 2, ENDED],
    ),
    "a-whole-group": (an_alert_group(AlertState.RESOLVED, total=2, resolved_at=NOON + HOUR), [ENDED, (ENDED[0], {})]),
}


@pytest.mark.parametrize("name", ALERT_CARDS)
def test_the_card_of_a_group_of_alerts(golden, name):
    """A group's card, firing and resolved: information, with nothing to press, and what was cut of it."""
    group, shown = ALERT_CARDS[name]

    message = checked(alert_message(group, shown, revision=1))

    golden(f"alert-{name}.json", {"text": message.text, "blocks": list(message.blocks)})
    assert problems(message) == []


def test_every_kind_of_cut_is_said():
    """Nothing is left out of a card without a word."""
    group = an_alert_group(cut={kind.value: 77_700 + number for number, kind in enumerate(Cut)})

    said = json.dumps(alert_message(group, [FIRES], revision=1).blocks)

    assert [kind for number, kind in enumerate(Cut) if str(77_700 + number) not in said] == []


REFUSED = RefusedDeliveries(
    id="refused_1", environment="prod-eu-1", monitor="prometheus", channel=CHANNEL, follows="", token="tok",
    codes={"too_large": 3, "unheard_of": 1}, since=NOON, last_at=NOON + MINUTE,
)  # fmt: skip


def test_the_card_of_refused_deliveries(golden):
    """People hear that alarms may be missing: whose, why, and what helps."""
    message = checked(refused_message(REFUSED, revision=1))

    golden("alert-deliveries-refused.json", {"text": message.text, "blocks": list(message.blocks)})
    assert problems(message) == []


def _digest(**changed):
    digest = WeeklyDigest(
        environment="prod-eu-1",
        start=NOON - timedelta(days=7),
        end=NOON,
        asked=12,
        outcomes={"approved": 7, "denied": 2, "expired": 3},
        unseen=0,
        refused=4,
        executions={"applied": 6, "voided": 1},
        drift={},
        answers_refused=5,
        median=timedelta(minutes=2, seconds=5),
        p95=timedelta(hours=1, minutes=4),
        noisiest=("scaler", 9),
        pauses=1,
        head=Head(number=420, chain="ab" * 32),
    )
    return replace(digest, **changed)


DIGESTS = {
    "a-week": (_digest(), False),
    "replaced": (_digest(), True),
    "unseen": (_digest(unseen=2), False),
    "nothing": (
        _digest(
            asked=0, outcomes={}, refused=0, executions={}, answers_refused=0, median=None, p95=None, noisiest=None,
            pauses=0, head=None,
        ),
        False,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DIGESTS)
def test_the_weekly_digest(golden, name):
    """A week in one environment; the counts add up to what was asked."""
    digest, replaces = DIGESTS[name]

    message = checked(digest_message(digest, zone="Europe/Berlin", replaces=replaces))

    golden(f"digest-{name}.json", {"text": message.text, "blocks": list(message.blocks)})
    assert problems(message) == []


def test_the_thread_tells_people_apart_from_their_words(golden):
    """Sentences of ours, mentions as elements, a person's reason quoted beneath."""
    vote = {"vote": {"answer": "deny", "via": "slack", "remembered": True}}
    told = (
        ThreadEvent(
            subject="esc_1",
            kind="request.voted",
            actor=ADA,
            data=vote,
            texts={"reason": "Not during the <!channel> sale."},
        ),
        ThreadEvent(subject="esc_1", kind="request.denied", actor=ADA, data={}, texts={}),
        ThreadEvent(subject="esc_1", kind="something.new", actor="countersign", data={}, texts={}),
    )

    message = checked(thread_message(told))

    golden("thread.json", {"text": message.text, "blocks": list(message.blocks)})
    assert problems(message) == []


def test_the_form_that_asks_why(golden):
    """The form says what would be denied and that everybody reads the reason."""
    asked = ButtonValue(request=ESCALATION, fingerprint=short_fingerprint())

    golden("deny-form.json", form(Denial(asked=asked, channel=CHANNEL, ts="1.1"), title="Scale checkout"))


def test_the_thread_tells_who_approved_what_is_otherwise(golden):
    """A mention for each of them, and the fields as a diff, in the one line that finds it."""
    data = {
        "execution": facts_of(an_execution(Phase.VOIDED, message="The target is not as it was approved.", drift=DRIFT)),
        "approvers": [ADA],
    }

    message = checked(
        thread_message(
            (ThreadEvent(subject="esc_1", kind="execution.voided", actor="countersign", data=data, texts={}),)
        )
    )

    golden("thread-drift.json", {"text": message.text, "blocks": list(message.blocks)})
    assert problems(message) == []


PLAIN = {
    "request": plain_request(a_request(), mentions="<@U0ADA>"),
    "request-decided": plain_request(a_request(state=State.DENIED)),
    "pause": plain_pause(a_pause()),
    "pause-ended": plain_pause(replace(a_pause(), ended_at=NOON, ended_epoch=2)),
    "nothing-but-its-id": plain_subject("esc_01JD0000000000000000000001"),
    "an-alert": plain_alert(an_alert_group()),
    "refused-deliveries": plain_refused(REFUSED),
    "a-thread": plain_lines(
        (ThreadEvent(subject=ESCALATION, kind="request.denied", actor=ADA, data={}, texts={"reason": "No."}),)
    ),
    "digest": digest_message(_digest(), zone="Europe/Berlin", replaces=True, detail=Detail.LINE),
}


@pytest.mark.parametrize("name", PLAIN)
def test_a_line_says_what_it_is_about_and_what_to_do(golden, name):
    """The last resort: no buttons, no words of an outsider, and the command by which it can be denied."""
    message = checked(PLAIN[name])

    golden(f"plain-{name}.json", {"text": message.text, "blocks": list(message.blocks)})
    assert message.blocks == ()


def test_a_card_without_anybodys_words(golden):
    """What was reviewed and the buttons stay; the agent's words and people's reasons give way to a sentence of ours."""
    card = a_card(without_words(a_standing_of()))

    golden("card-without-words.json", {"text": card.text, "blocks": list(card.blocks)})
    assert problems(card) == []


def test_an_alert_says_how_many_more_wait(golden):
    """What a storm holds back is counted on the card that is shown."""
    shown: list[tuple[Alert, dict[str, str]]] = [(an_alert(), {})]

    message = checked(alert_message(an_alert_group(), shown, revision=1, held_back=HeldBack(count=312, since=NOON)))

    golden("alert-held-back.json", {"text": message.text, "blocks": list(message.blocks)})
    assert problems(message) == []


def test_a_locked_phone_is_told_which_alerts():
    """Each name once, three at most, as the monitor's words; a mention in one is text, and who gives none gets no gap."""
    group = an_alert_group(firing=9, total=9)
    names = ["High", "High", "<!channel> *Disk*", "", "Third", "Fourth", "Fifth"]

    text = alert_message(group, [(an_alert(), {"label alertname": name}) for name in names], revision=1).text
    nameless = alert_message(group, [(an_alert(), {})], revision=1).text

    assert text == (
        "9 alerts firing in prod-eu-1. The monitor says: High, &lt;!channel&gt; *Disk*, Third and 2 other names."
        " For information; there is nothing to decide."
    )
    assert nameless == "9 alerts firing in prod-eu-1. For information; there is nothing to decide."


def test_a_cure_is_said_once():
    """Two causes that have the same cure do not make it longer."""
    refused = replace(REFUSED, codes={"missing_field": 1, "wrong_type": 2})

    said = json.dumps(refused_message(refused, revision=1).blocks)

    assert said.count("has no list of alerts") == 1


@pytest.mark.parametrize(
    "kind", [kind for kind in EventKind if kind.partition(".")[0] in {"request", "answer", "execution"}]
)
def test_a_plain_thread_line_has_words_for_whatever_happens(kind):
    """No reader at night is shown a name out of the record."""
    said = plain_lines((ThreadEvent(subject="esc_1", kind=kind, actor=ADA, data={}, texts={}),)).text

    assert (kind in said, "_" in said.replace("esc_1", "")) == (False, False)


@pytest.mark.parametrize("detail", [Detail.REVIEWED, Detail.LINE])
def test_the_counts_of_a_digest_without_its_table_add_up(detail):
    """What was taken back, void or still waiting is told too, where a line stands for the table."""
    outcomes = {"approved": 7, "denied": 2, "expired": 3, "cancelled": 1, "superseded": 4, "pending": 5}
    digest = _digest(asked=22, outcomes=outcomes)

    message = digest_message(digest, zone="Europe/Berlin", detail=detail)

    told = json.dumps(message.blocks, ensure_ascii=False) if detail is Detail.REVIEWED else message.text
    counts = "7 approved, 2 denied, 3 expired, 1 taken back or cancelled, 4 void, 5 still waiting."
    assert counts in told


def test_a_digest_without_its_table(golden):
    """The counts stand in a line instead."""
    message = checked(digest_message(_digest(), zone="Europe/Berlin", detail=Detail.REVIEWED))

    golden("digest-without-table.json", {"text": message.text, "blocks": list(message.blocks)})
    assert problems(message) == []
