"""Clicks that decide nothing: by whom, on what, when. Each is answered privately; whoever is known is written down."""

from dataclasses import replace
from typing import Any

import pytest

from approvals.identity.names import Account
from approvals.policy.charter import Owners
from approvals.workflow.request import Answer, State, Via
from bot.slack.inbound.listeners import UNKNOWN
from sandbox.workspace import default_seed
from tests.bot.slack.office import PROD, buttons_of
from tests.builders import (
    ADA,
    BORIS,
    MINUTE,
    TEAM,
    a_charter,
    a_policy,
    an_action,
    an_approver_set,
)
from tests.world import FixedPolicies

EVERYBODY = ("U0ADA", "U0BORIS", "U0CHEN", "U0DINA", "U0ELI", "U0FAY", "U0GUS", "U0SHIPBOT")


LISTED = {
    "platform": an_approver_set(
        accounts=(*(Account(f"{TEAM}:{user}") for user in EVERYBODY if user != "U0DINA"), Account("T0PARTNER:U0FAY"))
    )
}


ELSEWHERE = a_charter(owners=Owners(business=BORIS, technical=BORIS, risk=BORIS))


REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "T-DEC-01 the requester's human": ("U0CHEN", {}, "conflicted"),
    "T-DEC-02 an owner of the agent": ("U0DINA", {}, "conflicted"),
    "T-DEC-04 a guest": ("U0ELI", {"approver_sets": LISTED}, "guest"),
    "T-DEC-05 somebody of another company": ("U0FAY", {"approver_sets": LISTED}, "guest"),
    "T-DEC-06 a bot": ("U0SHIPBOT", {"approver_sets": LISTED}, "bot"),
    "T-DEC-07 a leaver": ("U0GUS", {"approver_sets": LISTED}, "deactivated"),
    "T-DEC-13 a member who is no approver": ("U0DINA", {"charters": {"scaler": ELSEWHERE}}, "not_an_approver"),
}


@pytest.mark.parametrize("answer", list(Answer))
@pytest.mark.parametrize("name", REFUSED)
def test_an_answer_that_cannot_count_is_refused_privately_and_written_down(make_office, name, answer):
    """T-DEC-01..07, 13: the clicker alone is told, the request stays pending, the trail says who tried what and why not."""
    user, changed, code = REFUSED[name]
    office = make_office(policies=FixedPolicies(a_policy(**changed)))
    request = office.world.pending()
    office.step()
    before = len(office.messages())

    outcome = office.click(user, f"{answer.value}:v1")

    team = "T0PARTNER" if user == "U0FAY" else TEAM
    assert outcome.acked
    assert office.note(user)
    assert office.world.request(request).state is State.PENDING
    assert len(office.messages()) == before
    assert office.refusals(request) == [
        (f"{team}:{user}", {"answer": answer.value, "via": Via.SLACK.value, "code": code})
    ]


def test_a_foreign_id_that_equals_an_approvers_is_still_foreign(make_office):
    """T-DEC-05: the same raw id in another company's workspace is somebody else: people are told apart by team and id."""
    seed = default_seed()
    users = tuple(
        replace(user, team_id="T0PARTNER", is_stranger=True) if user.id == "U0ADA" else user for user in seed.users
    )
    office = make_office(seed=replace(seed, users=users))
    request = office.world.pending()
    office.step()

    office.click("U0ADA", "approve:v1")

    assert office.world.request(request).state is State.PENDING
    assert office.refusals(request) == [("T0PARTNER:U0ADA", {"answer": "approve", "via": "slack", "code": "guest"})]


def test_somebody_deactivated_a_moment_ago_is_refused(office):
    """T-DEC-07: standing is asked for at each click, so a second is enough."""
    request = office.world.pending()
    office.step()
    office.change(lambda: office.workspace.deactivate_user("U0ADA"))

    office.click("U0ADA", "approve:v1")

    assert office.note("U0ADA") == "This account is deactivated."
    assert office.world.request(request).state is State.PENDING


def test_a_late_click_is_late_before_any_sweep(office):
    """I3: at the deadline silence has denied, whether or not the sweep has run; the clicker is told so."""
    request = office.world.pending()
    office.step()
    office.pass_by(15 * MINUTE)

    office.click("U0ADA", "approve:v1")

    assert office.note("U0ADA") == "The deadline has passed; silence has denied it."
    assert office.world.request(request).state is State.PENDING
    assert office.refusals(request) == [(ADA, {"answer": "approve", "via": "slack", "code": "late"})]


def test_the_second_of_two_is_told_who_was_first(office):
    """A settled request says by whom, with a mention and nothing else live."""
    request = office.world.pending()
    office.step()
    stale = office.card()
    office.click("U0ADA", "deny:v1")

    office.click("U0BORIS", "approve:v1", stale)

    assert office.note("U0BORIS") == "It is already denied by <@U0ADA>."
    assert office.refusals(request) == [(BORIS, {"answer": "approve", "via": "slack", "code": "already_decided"})]


def test_a_button_of_another_version_of_the_change_is_stale(office):
    """A button carries the fingerprint: one that belongs to another change decides nothing (T-RACE-07)."""
    request = office.world.pending()
    office.step()
    card = office.card()
    for element in buttons_of(card):
        element["value"] = f"{request.id}.{'0' * 12}"

    office.click("U0ADA", "approve:v1", card)

    assert office.note("U0ADA") == "That button belongs to another version of this change."
    assert office.refusals(request) == [(ADA, {"answer": "approve", "via": "slack", "code": "stale"})]


def test_a_card_copied_to_another_channel_decides_nothing(office):
    """T-DEC-16: our own words in another channel are no card of the request; refused privately and written down."""
    request = office.world.pending()
    office.step()
    copy = _copied(office, "C0STAGING", bot_id=office.seed.bot_id)

    office.click("U0ADA", "approve:v1", copy)

    assert office.note("U0ADA") == "That is not this request's card, so it cannot be answered there."
    assert office.world.request(request).state is State.PENDING
    assert office.refusals(request) == [(ADA, {"answer": "approve", "via": "slack", "code": "foreign_card"})]


def test_a_look_alike_of_another_app_is_worth_nothing(office):
    """T-DEC-16: a button with our action id on another app's message is answered, and reaches no verb."""
    request = office.world.pending()
    office.step()
    copy = _copied(office, PROD, bot_id="B0OTHER")

    office.click("U0ADA", "approve:v1", copy)

    assert "not a card of Countersign" in office.note("U0ADA")
    assert office.world.request(request).state is State.PENDING
    assert office.refusals(request) == []


def test_the_card_of_another_request_cannot_answer_this_one(office):
    """A button must stand on a card of the request that it names."""
    first = office.world.pending()
    office.world.pending("key-2", action=an_action(replicas=9))
    office.step()
    one, other = office.cards_in()
    buttons_of(other)[1]["value"] = buttons_of(one)[1]["value"]

    office.click("U0ADA", "approve:v1", other)

    assert office.world.request(first).state is State.PENDING
    assert office.refusals(first) == [(ADA, {"answer": "approve", "via": "slack", "code": "foreign_card"})]


def _copied(office, channel, *, bot_id):
    def put():
        copy = replace(office.cards_in_now()[-1], channel=channel, ts="99.000001", bot_id=bot_id)
        office.workspace._core.store.put_message(copy)
        return copy

    return office.change(put)


def test_words_and_reactions_decide_nothing(office):
    """T-DEC-15: a reply 'approved' has no effect: only a button does, and no GET changes anything."""
    request = office.world.pending()
    office.step()
    card = office.card()

    office.change(lambda: office.workspace.say("U0ADA", PROD, "approved", thread_ts=card.ts))
    office.step()

    assert office.world.request(request).state is State.PENDING


@pytest.mark.parametrize("action_id", ["approve:v0", "something"])
def test_an_unknown_button_is_answered(office, action_id):
    """A button of an older or newer version gets an honest answer instead of Slack's silence."""
    office.world.pending()
    office.step()
    card = office.card()
    buttons_of(card)[0]["action_id"] = action_id

    outcome = office.click("U0ADA", action_id, card)

    assert outcome.acked
    assert office.note("U0ADA") == UNKNOWN


@pytest.mark.parametrize("value", ["", "esc_1.abc", "nonsense", "esc_00000000000000000000000001"])
def test_a_button_with_another_value_is_answered(office, value):
    """What a button carries is only a hint; one that says nothing decides nothing, and the clicker is told."""
    request = office.world.pending()
    office.step()
    card = office.card()
    buttons_of(card)[0]["value"] = value

    office.click("U0ADA", "deny:v1", card)

    assert "Nothing was decided" in office.note("U0ADA")
    assert office.world.request(request).state is State.PENDING


def test_a_button_for_a_request_that_does_not_exist_is_answered(office):
    """An id of another installation's request is refused as unknown."""
    office.world.pending()
    office.step()
    card = office.card()
    buttons_of(card)[0]["value"] = f"esc_{'9' * 26}.{'0' * 12}"

    office.click("U0ADA", "deny:v1", card)

    assert office.note("U0ADA") == "There is no such request."
