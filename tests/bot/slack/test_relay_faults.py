"""The relay when Slack is slow, down or says no: pictures are late, decisions are not; nothing is lost or repeated for ever."""

import time
from collections import Counter

import pytest

from approvals.request import State
from bot.local.workspace import Strictness
from tests.bot.slack.office import PROD, REPLACES, is_answerable, text_of
from tests.builders import ADA, MINUTE, an_action


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
    assert ("card.failed", "reply_lost") in office.deliveries()


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
    assert not is_answerable(office.card())
    assert Counter(office.deliveries()) == {
        ("card.posting", None): 2,
        ("card.failed", "service_unavailable"): 1,
        ("card.posted", None): 1,
    }


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
    assert ("card.failed", "ratelimited") in office.deliveries()


def test_what_an_administrator_can_mend_is_tried_again(office):
    """A bot that is not in its channel posts as soon as it is invited, while the request is open."""
    office.change(lambda: office.workspace.invite_bot(PROD, member=False))
    office.world.pending()
    office.step()
    office.change(lambda: office.workspace.invite_bot(PROD))
    office.pass_by(MINUTE)

    office.step()

    assert len(office.cards_in()) == 1
    assert ("card.failed", "not_in_channel") in office.deliveries()


def test_a_permanent_refusal_is_named_and_not_repeated(office):
    """What no retry can change is given up and written down, until the request itself changes."""
    office.world.pending()
    office.change(lambda: office.workspace.faults.errors.update({"chat.postMessage": ["invalid_blocks"]}))
    office.step()
    office.pass_by(60 * MINUTE)

    office.step()

    assert office.cards_in() == []
    assert office.deliveries() == [("card.posting", None), ("card.failed", "invalid_blocks")]
    assert office.cards.backlog().given_up == 1


@pytest.mark.parametrize(
    ("error", "given_up"), [("ratelimited", 0), ("fatal_error", 0), ("invalid_blocks", 1), ("restricted_action", 1)]
)
def test_an_update_that_fails_is_made_again_or_given_up(office, error, given_up):
    """An update can be made twice, so a lost one is; one that is refused for good is named and left."""
    office.world.pending()
    office.step()
    office.click("U0ADA", "deny:v1")
    office.change(lambda: office.workspace.faults.errors.update({"chat.update": [error]}))
    office.step()
    office.pass_by(10 * MINUTE)

    office.step()

    assert ("card.failed", error) in office.deliveries()
    assert office.cards.backlog().given_up == given_up
    assert is_answerable(office.card()) == bool(given_up)


def test_updates_keep_slacks_pace_too(make_office):
    """Fifty updates a minute are allowed: beyond ten at once they wait, and none is lost."""
    stopped = [0.0]
    office = make_office(monotonic=lambda: stopped[0])
    requests = [office.world.pending(f"key-{number}", action=an_action(replicas=7 + number)) for number in range(12)]
    for _ in range(20):
        stopped[0] += 10
        office.relay.step()
    for request in requests:
        office.world.answers(request, account=ADA)
    stopped[0] += 100

    office.relay.step()
    at_once = sum(not is_answerable(card) for card in office.cards_in())
    stopped[0] += 100
    office.relay.step()

    assert (at_once, sum(not is_answerable(card) for card in office.cards_in())) == (10, 12)
