"""The relay against the stand-in: crashes between posting and writing down, outages, deleted copies, pace, tampering."""

from dataclasses import replace

import pytest
from sqlalchemy import text

from approvals.identity.tokens import TokenKind, created
from approvals.ports.journey import Milestone
from approvals.workflow.alert import AlertState, Delivery
from approvals.workflow.request import State
from tests.bot.slack.office import PROD, REPLACES, is_answerable, text_of
from tests.builders import ADA, NOON, a_report, a_token, an_action
from tests.fakes.journey import Crash, CrashesAt


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
    assert (("user", "U0ADA") in office.live()) != replaced
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
    assert [is_answerable(message) for message in office.cards_in()] == [False, False]
    assert (
        office.cards.subject_of(office.world.policies.policy.environments["prod-eu-1"].channel, orphan.ts) == request.id
    )
    assert replacement.ts != orphan.ts


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


def test_a_card_that_would_show_something_else_than_was_fixed_is_not_posted(office):
    """I8: the trusted part must hash to what was fixed when the question was put; a changed plan is not shown for approval.

    That there is a question, and how to deny it, is said all the same.
    """
    request = office.world.pending()
    with office.store.writing() as uow:
        uow.connection.execute(text("UPDATE escalations SET render_hash = 'something else'"))

    office.step()

    (line,) = office.cards_in()
    assert (line.blocks, is_answerable(line)) == ([], False)
    assert f"{request.id}: scale Deployment shop/checkout in prod-eu-1" in line.text
    assert "cannot be approved" in line.text
    assert office.deliveries() == [("card.failed", "not_as_approved"), ("card.posting", None), ("card.posted", None)]
    assert office.world.request(request).state is State.PENDING


def test_a_decided_card_that_cannot_be_drawn_as_it_was_loses_its_buttons(office):
    """The same after the card was posted: no button stays beside what nobody can vouch for, and the outcome is said."""
    request = office.world.pending()
    office.step()
    with office.store.writing() as uow:
        uow.connection.execute(text("UPDATE escalations SET render_hash = 'something else'"))
    office.world.answers(request, account=ADA)

    office.step()

    assert not is_answerable(office.card())
    assert "What was shown here cannot be drawn again as it was" in text_of(office.card().blocks)
    assert "👍 Approved by <@U0ADA>" in text_of(office.card().blocks)


def test_an_unreadable_plan_is_not_posted(office):
    """A plan whose bytes are no plan any more is not shown either: one line says that somebody asked."""
    office.world.pending()
    with office.store.writing() as uow:
        uow.connection.execute(text("UPDATE plans SET bound = x'00ff'"))

    office.step()

    assert [message.blocks for message in office.cards_in()] == [[]]


def test_an_open_card_that_cannot_be_vouched_for_any_more_loses_its_buttons(office):
    """A card that stands with its buttons and whose plan has changed since is drawn as one line: nothing to approve."""
    request = office.world.pending()
    office.step()
    with office.store.writing() as uow:
        uow.connection.execute(text("UPDATE escalations SET render_hash = 'something else'"))
        uow.connection.execute(text("UPDATE cards SET wanted = wanted + 1"))

    office.step()

    assert (office.card().blocks, office.world.request(request).state) == ([], State.PENDING)


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
    firing = a_report(starts_at=NOON, labels={"alertname": "<!channel>"})
    office.world.notice(Delivery(reports=(firing,)), monitor)
    office.step()
    first = text_of(office.card().blocks)
    office.world.notice(Delivery(reports=(replace(firing, state=AlertState.RESOLVED),)), monitor)

    office.step()

    assert "🔔 Alert firing · prod-eu-1" in first
    assert "<!channel>" in first
    assert office.live() == []
    assert "✅ Alert resolved · prod-eu-1" in text_of(office.card().blocks)
    assert not is_answerable(office.card())
    assert office.thread() == ["The alert has resolved."]


def test_nothing_to_do_is_nothing_done(office):
    """An idle relay asks the table and nobody else."""
    before = len(office.change(lambda: office.workspace.calls))

    assert office.relay.step() == 0
    assert len(office.change(lambda: office.workspace.calls)) == before


def test_a_decided_card_that_is_gone_is_not_posted_for_each_step_of_its_execution(office):
    """Approved, and its card deleted: the execution goes on, and no new card comes for it."""
    office.world.pending()
    office.step()
    card = office.card()
    office.click("U0ADA", "approve:v1", card)
    office.change(lambda: office.workspace.delete_message(PROD, card.ts))
    office.step()
    for _ in range(3):
        office.world.execute()

    office.step()

    assert office.cards_in() == []
    assert office.cards.backlog().behind == 0
