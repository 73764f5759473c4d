"""The relay against the stand-in: crashes between posting and writing down, outages, deleted copies, pace, tampering."""

import time
from collections import Counter
from dataclasses import replace

import pytest
from sqlalchemy import text

from approvals.alert import AlertState, Report
from approvals.errors import NotEligible
from approvals.ports import Milestone
from approvals.request import State
from approvals.tokens import TokenKind, created
from bot.local.workspace import Strictness
from tests.bot.slack.office import PROD, text_of
from tests.builders import ADA, DINA, MINUTE, NOON, a_token, an_action
from tests.fakes.journey import Crash, CrashesAt

REPLACES = "This card replaces an earlier one that may have been lost."


def _live(office, place=-1):
    return office.change(lambda: office.workspace.live_things(office.cards_in_now()[place]))


def _delivery(office):
    return [(kind, data.get("reason")) for kind, _, data in office.events("delivery")]


@pytest.mark.parametrize("milestone", [Milestone.CARD_POSTING, Milestone.CARD_SENT, Milestone.CARD_POSTED])
def test_a_crash_around_a_post_loses_nothing_and_rings_no_phone_twice(make_office, milestone):
    """Killed between posting and writing it down: the next process posts a card that names itself a replacement."""
    office = make_office(journey=CrashesAt(milestone))
    request = office.world.pending()
    with pytest.raises(Crash):
        office.relay.step()

    office.relay = office.a_relay(office.journey)
    office.step()

    cards = office.cards_in()
    expected = {Milestone.CARD_POSTING: 1, Milestone.CARD_SENT: 2, Milestone.CARD_POSTED: 1}[milestone]
    assert len(cards) == expected
    replaced = milestone is not Milestone.CARD_POSTED
    assert (REPLACES in text_of(cards[-1].blocks)) == replaced
    assert (("user", "U0ADA") in _live(office)) != replaced
    assert office.click("U0ADA", "approve:v1").acked
    assert office.world.request(request).state is State.APPROVED


def test_an_orphaned_card_works_is_taken_in_and_redrawn(make_office):
    """The copy that we lost track of decides like any other, and its buttons go like any other's."""
    office = make_office(journey=CrashesAt(Milestone.CARD_SENT))
    request = office.world.pending()
    with pytest.raises(Crash):
        office.relay.step()
    office.step()
    orphan, replacement = office.cards_in()

    outcome = office.click("U0ADA", "approve:v1", orphan)
    office.step()

    assert outcome.acked
    assert office.world.request(request).state is State.APPROVED
    assert [_answerable(message) for message in office.cards_in()] == [False, False]
    assert (
        office.cards.subject_of(office.world.policies.policy.environments["prod-eu-1"].channel, orphan.ts) == request.id
    )
    assert replacement.ts != orphan.ts


def _answerable(message):
    return any(block["type"] == "actions" for block in message.blocks)


def test_a_lost_reply_is_answered_by_a_replacement(office):
    """Where Slack took the post and its reply was lost, a second card says that it replaces; either can be answered."""
    office.world.pending()
    office.change(lambda: office.workspace.faults.lost.update({"chat.postMessage": 1}))
    office.step()
    after_loss = len(office.cards_in())
    office.pass_by(MINUTE)

    office.step()

    assert after_loss == 1
    assert len(office.cards_in()) == 2
    assert REPLACES in text_of(office.card().blocks)
    assert ("card.failed", "reply_lost") in _delivery(office)


def test_an_outage_delays_pictures_and_changes_no_decision(office):
    """While Slack is down the deadline runs and silence denies; afterwards one card shows how it stands, no stale one."""
    request = office.world.pending()
    office.change(lambda: office.workspace.set_outage(on=True))
    office.step()
    office.pass_by(20 * MINUTE)
    office.world.expire()
    office.change(lambda: office.workspace.set_outage(on=False))

    office.step()

    assert office.world.request(request).state is State.EXPIRED
    assert len(office.cards_in()) == 1
    assert "⌛ Timed out: nobody decided" in text_of(office.card().blocks)
    assert not _answerable(office.card())
    assert Counter(_delivery(office)) == {
        ("card.posting", None): 2,
        ("card.failed", "service_unavailable"): 1,
        ("card.posted", None): 1,
    }


def test_a_deleted_card_is_posted_anew_while_it_is_open(office):
    """Somebody deleted the card: what still waits for an answer gets a new one, which rings no phone again."""
    request = office.world.pending()
    office.step()
    first = office.card()
    office.change(lambda: office.workspace.delete_message(PROD, first.ts))
    with office.store.writing() as uow:
        uow.connection.execute(text("UPDATE cards SET wanted = wanted + 1"))

    office.step()

    card = next(message for message in office.cards_in() if request.id in text_of(message.blocks))
    assert card.ts != first.ts
    assert REPLACES in text_of(card.blocks)
    assert office.click("U0ADA", "deny:v1", card).acked
    assert office.world.request(request).state is State.DENIED


def test_a_deleted_card_of_a_decided_request_stays_deleted(office):
    """There is nothing left to answer, so nothing is posted again, and the relay does not try for ever."""
    office.world.pending()
    office.step()
    card = office.card()
    office.click("U0ADA", "deny:v1", card)
    office.change(lambda: office.workspace.delete_message(PROD, card.ts))

    office.step()
    office.step()

    assert office.cards_in() == []
    assert office.cards.backlog().behind == 0


@pytest.mark.slow
def test_the_pace_of_a_channel_is_kept(make_office):
    """Slack takes about one message a second in a channel: the relay is never told off, and everything arrives."""
    office = make_office(strictness=Strictness(), monotonic=time.monotonic)
    for number in range(3):
        office.world.pending(f"key-{number}", action=an_action(replicas=7 + number))

    def everything_is_told():
        office.relay.step()
        return len(office.cards_in()) == 3 and office.lines.count() == 0

    office.until(everything_is_told, "three cards and their threads are posted")

    answers = [call.answer.get("error") for call in office.change(lambda: office.workspace.calls)]
    assert "ratelimited" not in answers


def test_a_429_is_waited_out(office):
    """Retry-After is honoured: nothing is sent before it is over, and then the card is posted once."""
    office.world.pending()
    office.change(lambda: office.workspace.faults.errors.update({"chat.postMessage": ["ratelimited"]}))
    office.relay.step()
    at_once = office.relay.step()
    office.pass_by(2 * MINUTE)

    office.step()

    assert at_once == 0
    assert len(office.cards_in()) == 1
    assert ("card.failed", "ratelimited") in _delivery(office)


def test_what_an_administrator_can_mend_is_tried_again(office):
    """A bot that is not in its channel posts as soon as it is invited, while the request is open."""
    office.change(lambda: office.workspace.invite_bot(PROD, member=False))
    office.world.pending()
    office.step()
    office.change(lambda: office.workspace.invite_bot(PROD))
    office.pass_by(MINUTE)

    office.step()

    assert len(office.cards_in()) == 1
    assert ("card.failed", "not_in_channel") in _delivery(office)


def test_a_permanent_refusal_is_named_and_not_repeated(office):
    """What no retry can change is given up and written down, until the request itself changes."""
    office.world.pending()
    office.change(lambda: office.workspace.faults.errors.update({"chat.postMessage": ["invalid_blocks"]}))
    office.step()
    office.pass_by(60 * MINUTE)

    office.step()

    assert office.cards_in() == []
    assert _delivery(office) == [("card.posting", None), ("card.failed", "invalid_blocks")]
    assert office.cards.backlog().given_up == 1


def test_a_card_that_would_show_something_else_than_was_fixed_is_not_posted(office):
    """I8: the trusted part must hash to what was fixed when the question was put; a changed plan is not shown for approval."""
    request = office.world.pending()
    with office.store.writing() as uow:
        uow.connection.execute(text("UPDATE escalations SET render_hash = 'something else'"))

    office.step()

    assert office.cards_in() == []
    assert _delivery(office) == [("card.failed", "not_as_approved")]
    assert office.world.request(request).state is State.PENDING


def test_a_decided_card_that_cannot_be_drawn_as_it_was_loses_its_buttons(office):
    """The same after the card was posted: no button stays beside what nobody can vouch for, and the outcome is said."""
    request = office.world.pending()
    office.step()
    with office.store.writing() as uow:
        uow.connection.execute(text("UPDATE escalations SET render_hash = 'something else'"))
    office.world.answers(request, account=ADA)

    office.step()

    assert not _answerable(office.card())
    assert "What was shown here cannot be drawn again as it was" in text_of(office.card().blocks)
    assert "*✅ Approved by <@U0ADA>*" in text_of(office.card().blocks)


def test_an_unreadable_plan_is_not_posted(office):
    """A plan whose bytes are no plan any more is not shown either."""
    office.world.pending()
    with office.store.writing() as uow:
        uow.connection.execute(text("UPDATE plans SET bound = x'00ff'"))

    office.step()

    assert office.cards_in() == []


def test_buttons_go_before_new_cards_come(office):
    """After an outage the cards that must lose their buttons come first, then new ones."""
    first = office.world.pending()
    office.step()
    office.world.pending("key-2", action=an_action(replicas=9))
    office.world.answers(first, account=ADA)
    seen = len(office.change(lambda: office.workspace.calls))

    office.step()

    methods = [call.method for call in office.change(lambda: office.workspace.calls)[seen:]]
    assert methods[methods.index("chat.update") :].count("chat.postMessage") >= 1
    assert methods.index("chat.update") < methods.index("chat.postMessage")


def test_every_event_is_told_once_in_order(office):
    """The thread is the readable trail: the events of the request, oldest first, several to a message."""
    request = office.world.pending()
    office.step()
    office.click("U0DINA", "approve:v1")
    office.click("U0ADA", "approve:v1")
    for _ in range(3):
        office.world.execute()

    office.step()

    told = " ".join(office.thread())
    for sentence in (
        "asked for @U0CHEN",
        "@U0DINA tried to approve it",
        "@U0ADA approved it.",
        "Approved.",
        "Applied.",
        "Done.",
    ):
        assert sentence in told
    places = [told.index(one) for one in ("asked for", "tried to", "approved it", "Applied.")]
    assert places == sorted(places)
    assert office.lines.count() == 0
    assert request.id not in told


def test_a_thread_whose_card_was_deleted_goes_on_under_the_new_card(office):
    """A line that has lost its card brings a new card about, and is told under that."""
    request = office.world.pending()
    office.step()
    first = office.card()
    office.change(lambda: office.workspace.delete_message(PROD, first.ts))
    with pytest.raises(NotEligible):
        office.world.answers(request, account=DINA)

    office.step()

    assert office.card().ts != first.ts
    assert office.thread() == ["@U0DINA tried to approve it; that does not count (conflicted)."]
    assert office.lines.count() == 0


@pytest.mark.parametrize("error", ["ratelimited", "internal_error", "invalid_blocks"])
def test_a_thread_that_is_refused_waits_or_is_given_up(office, error):
    """Not now means later, never means never; the card itself is not held up."""
    office.world.pending()
    office.step()
    office.click("U0ADA", "deny:v1")
    office.change(lambda: office.workspace.faults.errors.update({"chat.postMessage": [error]}))
    office.step()
    waiting = office.lines.count()
    office.pass_by(10 * MINUTE)

    office.step()

    assert (waiting > 0) == (error != "invalid_blocks")
    assert office.lines.count() == 0


def test_an_alert_is_a_card_without_buttons_and_its_end_is_told(office):
    """An alert informs: card, then 'resolved' on the card and in the thread."""
    monitor = a_token(
        "cst_monitor",
        id="tok_01JD0000000000000000000009",
        kind=TokenKind.ALERTMANAGER,
        holder="am",
        environments=frozenset({"prod-eu-1"}),
    )
    with office.store.writing() as uow:
        uow.save(created(monitor))
    firing = Report(
        fingerprint="f", starts_at=NOON, state=AlertState.FIRING, labels={"alertname": "<!channel>"}, annotations={}
    )
    office.world.notice((firing,), monitor)
    office.step()
    first = text_of(office.card().blocks)
    office.world.notice((replace(firing, state=AlertState.RESOLVED),), monitor)

    office.step()

    assert "🔔 Alert firing · prod-eu-1" in first
    assert "<!channel>" in first
    assert _live(office) == []
    assert "✅ Alert resolved · prod-eu-1" in text_of(office.card().blocks)
    assert not _answerable(office.card())
    assert office.thread() == ["The alert has resolved."]


def test_nothing_to_do_is_nothing_done(office):
    """An idle relay asks the table and nobody else."""
    before = len(office.change(lambda: office.workspace.calls))

    assert office.relay.step() == 0
    assert len(office.change(lambda: office.workspace.calls)) == before
