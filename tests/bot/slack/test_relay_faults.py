"""The relay when Slack is slow, down or says no: pictures are late, decisions are not; nothing is lost or repeated for ever."""

import time
from collections import Counter
from datetime import timedelta

import pytest

from approvals.workflow.request import State
from models.outbox.tasks import Backlog
from sandbox.workspace import Strictness
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
    """While Slack is down the deadline runs and silence denies; afterwards one card shows how it stands, no stale one.

    It names itself a replacement, and nobody says that no one could see the question: with a 5xx the first may have arrived.
    """
    request = office.world.pending()
    office.change(lambda: office.workspace.set_outage(on=True))
    office.step()
    office.pass_by(20 * MINUTE)
    office.world.expire()
    office.change(lambda: office.workspace.set_outage(on=False))

    office.step()

    assert office.world.request(request).state is State.EXPIRED
    assert len(office.cards_in()) == 1
    assert "Expired before it was shown" not in text_of(office.card().blocks)
    assert REPLACES in text_of(office.card().blocks)
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


UNLISTED = [
    "org_login_required", "ekm_access_denied", "team_access_not_granted", "channel_type_not_supported", "restricted_action",
    "not_in_channel", "channel_not_found", "is_archived", "a_code_of_next_year",
]  # fmt: skip


@pytest.mark.parametrize("code", UNLISTED)
def test_a_refusal_that_can_pass_means_again(office, code):
    """Whatever Slack does not say of the message itself passes one day: the card is posted then, whole, and once."""
    request = office.world.pending()
    office.change(lambda: office.workspace.faults.refusing.update({"chat.postMessage": code}))
    for _ in range(4):
        office.step()
        office.pass_by(timedelta(seconds=15))
    office.change(office.workspace.faults.refusing.clear)

    office.step()

    (card,) = office.cards_in()
    assert is_answerable(card)
    assert ("user", "U0ADA") in office.live()
    assert Counter(office.deliveries())["card.failed", code] == 4
    assert office.click("U0ADA", "approve:v1").acked
    assert office.world.request(request).state is State.APPROVED


@pytest.mark.parametrize("code", ["not_in_channel", "channel_not_found", "is_archived", "org_login_required"])
def test_no_buttons_stay_for_ever_after_a_decision(office, code):
    """Refused while a decision is drawn, however long: the buttons go as soon as Slack takes it."""
    request = office.world.pending()
    office.step()
    office.change(lambda: office.workspace.faults.refusing.update({"chat.update": code}))
    office.world.answers(request, account=ADA)
    for _ in range(10):
        office.step()
        office.pass_by(MINUTE)
    waiting = is_answerable(office.card())
    office.change(office.workspace.faults.refusing.clear)

    office.step()

    assert waiting
    assert not is_answerable(office.card())
    assert office.cards.backlog().behind == 0


def test_what_fails_is_not_tried_more_often_than_its_waits(office):
    """A second, two, four ... and fifteen at most while it is a question that nobody has seen."""
    office.world.pending()
    office.change(lambda: office.workspace.faults.refusing.update({"chat.postMessage": "org_login_required"}))

    for _ in range(120):
        office.step()
        office.pass_by(timedelta(seconds=1))

    # At 0, 1, 3, 7 and 15 seconds, and every fifteen from there on.
    assert Counter(office.deliveries())["card.posting", None] == 11


FINAL = [
    "invalid_blocks",
    "invalid_blocks_format",
    "msg_too_long",
    "msg_blocks_too_long",
    "no_text",
    "message_too_long",
]


@pytest.mark.parametrize("code", FINAL)
def test_what_is_final_brings_a_plainer_card_at_once(office, code):
    """The same message will never be taken: the one without the agent's words is, and can be answered."""
    request = office.world.pending()
    office.change(lambda: office.workspace.faults.errors.update({"chat.postMessage": [code]}))

    office.step()

    assert is_answerable(office.card())
    assert "could not be shown here" in text_of(office.card().blocks)
    assert "p99 is 4.1 s" not in text_of(office.card().blocks)
    assert office.deliveries() == [
        ("card.posting", None),
        ("card.failed", code),
        ("card.posting", None),
        ("card.posted", None),
    ]
    assert office.click("U0ADA", "approve:v1").acked
    assert office.world.request(request).state is State.APPROVED


def test_at_last_one_line_says_what_it_is_about(office):
    """Where no card is taken at all, people are told all the same: what it is, who is asked, and how to deny it."""
    request = office.world.pending()
    office.change(lambda: office.workspace.faults.errors.update({"chat.postMessage": ["invalid_blocks"] * 2}))

    office.step()

    card = office.card()
    assert card.blocks == []
    assert not is_answerable(card)
    assert f"`countersign deny {request.id} --reason WHY`" in card.text
    assert "scale Deployment shop/checkout in prod-eu-1, asked by the agent scaler" in card.text
    assert ("user", "U0ADA") in office.live()
    assert office.cards.backlog().behind == 0


def test_a_message_that_is_never_taken_is_tried_on(office):
    """Even the line refused as it is: again, with growing waits, and never given up while there is something to say."""
    office.world.pending()
    office.change(lambda: office.workspace.faults.refusing.update({"chat.postMessage": "invalid_blocks"}))
    for _ in range(3):
        office.step()
        office.pass_by(MINUTE)
    office.change(office.workspace.faults.refusing.clear)

    office.step()

    assert len(office.cards_in()) == 1
    assert office.cards.backlog() == Backlog(behind=0, failing=0, unseen=0)


@pytest.mark.parametrize(
    ("error", "plain"),
    [("ratelimited", False), ("fatal_error", False), ("restricted_action", False), ("invalid_blocks", True)],
)
def test_an_update_that_fails_is_made_again(office, error, plain):
    """An update can be made twice, so a lost one is; one that is refused for its shape is made plainer at once."""
    office.world.pending()
    office.step()
    office.click("U0ADA", "deny:v1")
    office.change(lambda: office.workspace.faults.errors.update({"chat.update": [error]}))
    office.step()
    at_once = is_answerable(office.card())
    office.pass_by(10 * MINUTE)

    office.step()

    assert ("card.failed", error) in office.deliveries()
    assert (at_once, is_answerable(office.card())) == (not plain, False)
    assert ("could not be shown here" in text_of(office.card().blocks)) == plain
    assert office.cards.backlog().behind == 0


@pytest.mark.parametrize("code", ["cant_update_message", "edit_window_closed", "is_inactive"])
def test_an_outcome_that_cannot_be_drawn_in_place_is_posted_anew(office, code):
    """The old message stands as it is: a replacement says what came of it, rings no phone, and carries the thread on."""
    request = office.world.pending()
    office.step()
    office.world.answers(request, account=ADA)
    office.change(lambda: office.workspace.faults.errors.update({"chat.update": [code]}))

    office.step()

    old, new = office.cards_in()
    assert (is_answerable(old), is_answerable(new)) == (True, False)
    assert "Approved by" in text_of(new.blocks)
    assert REPLACES in text_of(new.blocks)
    assert office.live() == []
    assert any(message.is_reply and "approved it" in message.text for message in office.messages())
    assert (office.cards.backlog().behind, office.lines.count()) == (0, 0)


def test_retry_after_is_waited_out_in_full(make_office):
    """Asked to wait sixty seconds, nothing of that kind is asked before they are over: neither post nor update."""
    passed = [0.0]
    office = make_office(monotonic=lambda: passed[0])
    request = office.world.pending()
    office.step()
    calls = office.workspace.calls

    def slow(seconds):
        office.workspace.faults.retry_after_seconds = seconds
        office.workspace.faults.errors.update({"chat.postMessage": ["ratelimited"], "chat.update": ["ratelimited"]})

    office.change(lambda: slow(60))
    office.world.answers(request, account=ADA)
    office.world.pending("key-2", action=an_action(replicas=9))
    asked_at: dict[str, list[float]] = {}
    for _ in range(130):
        before = len(calls)
        office.relay.step()
        for call in office.workspace.calls[before:]:
            asked_at.setdefault(call.method, []).append(passed[0])
        calls = office.workspace.calls
        passed[0] += 1
        office.pass_by(timedelta(seconds=1))

    for method in ("chat.postMessage", "chat.update"):
        first, second = asked_at[method][:2]
        assert second - first >= 60, method


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
