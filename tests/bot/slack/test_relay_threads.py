"""The threads under cards: every event told once, in order, whatever Slack does."""

import pytest

from approvals.errors import NotEligible
from approvals.workflow.request import Answer
from bot.outbox.delivery import Unsendable
from bot.outbox.orphans import Orphans
from bot.outbox.relay import Relay
from bot.slack.messages.painter import SlackPainter
from bot.slack.workspace.clients import client
from bot.slack.workspace.poster import SlackPoster
from tests.bot.slack.office import PROD, is_answerable, unforeseen
from tests.builders import ADA, DINA, MINUTE


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
        "asked on behalf of @U0CHEN",
        "@U0DINA tried to approve it",
        "@U0ADA approved it.",
        "Approved.",
        "Applied.",
        "Done.",
    ):
        assert sentence in told
    places = [told.index(one) for one in ("asked on behalf of", "tried to", "approved it", "Applied.")]
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


@pytest.mark.parametrize("error", ["ratelimited", "internal_error", "org_login_required", "is_archived"])
def test_a_thread_that_is_refused_waits(office, error):
    """Whatever can pass means later; the card itself is not held up, and nothing is lost."""
    office.world.pending()
    office.step()
    before = office.thread()
    office.click("U0ADA", "deny:v1")
    office.change(lambda: office.workspace.faults.errors.update({"chat.postMessage": [error]}))
    office.step()
    waiting, card = office.lines.count(), is_answerable(office.card())
    office.pass_by(10 * MINUTE)

    office.step()

    assert (waiting > 0, card) == (True, False)
    assert any("denied it" in told for told in office.thread()[len(before) :])
    assert office.lines.count() == 0


@pytest.mark.parametrize(("refused", "told"), [(1, "@U0ADA denied it."), (2, "Somebody answered it. It was denied.")])
def test_a_line_that_is_refused_for_its_shape_is_told_plainer(office, refused, told):
    """Without the words quoted beneath it, at last as one line that says where the story stands: nothing is lost."""
    request = office.world.pending()
    office.step()
    office.world.answers(request, answer=Answer.DENY)
    office.change(lambda: office.workspace.faults.errors.update({"chat.postMessage": ["msg_too_long"] * refused}))

    office.step()

    assert office.thread()[-1].startswith(told)
    assert office.lines.count() == 0


def test_a_line_that_no_shape_suits_waits(office):
    """Even the line is refused as it is: its thread is tried again, and told once it is taken."""
    request = office.world.pending()
    office.step()
    office.change(lambda: office.workspace.faults.refusing.update({"chat.postMessage": "no_text"}))
    office.world.answers(request, answer=Answer.DENY)
    office.step()
    waiting = office.lines.count()
    office.change(office.workspace.faults.refusing.clear)
    office.pass_by(MINUTE)

    office.step()

    assert (waiting, office.lines.count()) == (2, 0)
    assert any("denied it" in told for told in office.thread())


def test_a_thread_that_slack_does_not_find_once_is_told_all_the_same(office):
    """Whether the message of a decided card is gone shows when it is drawn again; where it stands, its thread goes on."""
    request = office.world.pending()
    office.step()
    office.world.answers(request, answer=Answer.DENY)
    office.change(lambda: office.workspace.faults.errors.update({"chat.postMessage": ["thread_not_found"]}))
    office.step()
    office.pass_by(MINUTE)

    office.step()

    assert len(office.cards_in()) == 1
    assert any("denied it" in told for told in office.thread())
    assert office.lines.count() == 0


def test_nothing_waits_for_the_thread_of_a_decided_card_that_was_taken_away(office):
    """Somebody deleted it after the outcome: its last lines have no place any more, and are not counted as waiting."""
    request = office.world.pending()
    office.step()
    card = office.card()
    office.change(lambda: office.workspace.delete_message(PROD, card.ts))
    office.world.answers(request, answer=Answer.DENY)

    for _ in range(3):
        office.step()
        office.pass_by(MINUTE)

    assert (office.cards_in(), office.lines.count(), office.cards.backlog().behind) == ([], 0, 0)


class _Squeamish(SlackPainter):
    """A painter that will not tell of votes, nor of more than three events at once."""

    def lines(self, told, detail):
        if len(told) > 3 or any(one.kind == "request.voted" for one in told):
            raise Unsendable("not that")
        return super().lines(told, detail)


def test_a_line_that_must_not_leave_is_given_up_and_the_rest_is_told(office):
    """One event that cannot be shown does not silence the thread."""
    request = office.world.pending()
    office.relay = Relay(
        store=office.store, cards=office.cards, lines=office.lines, painter=_Squeamish(office.policies),
        poster=SlackPoster(
            client(office.workspace.bot_token, office.workspace.api_url, timeout_seconds=2), monotonic=office.monotonic
        ),
        journey=office.journey, failed=unforeseen, hand_over=Orphans(office.cards).hand_over,
    )  # fmt: skip
    office.step()
    office.world.answers(request, account=ADA)

    office.step()

    told = " ".join(office.thread())
    assert "approved it" not in told
    assert "Approved." in told
    assert "Queued to be carried out." in told
    assert office.lines.count() == 0
