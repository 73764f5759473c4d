"""Clicks, end to end: over Socket Mode and signed HTTP, with the real verbs and a real store."""

from datetime import timedelta

import pytest

from approvals.identity.names import Account
from approvals.identity.people import People
from approvals.policy.charter import Owners
from approvals.ports.store import Urgency
from approvals.workflow.request import State
from bot.slack.inbound.acting import Acting
from bot.slack.inbound.answers import Answers, Person
from bot.slack.workspace.clients import async_client
from tests.bot.slack.office import buttons_of, text_of
from tests.builders import (
    ADA,
    BORIS,
    CHEN,
    DINA,
    GROUP,
    MINUTE,
    a_charter,
    a_policy,
    a_rule,
    an_approver_set,
    an_asking,
)
from tests.fixtures.stores import readers_taken
from tests.waiting import wait_until
from tests.world import FixedPolicies


def _two_needed(**changed):
    return FixedPolicies(a_policy(rules=(a_rule(asking=an_asking(quorum=2)),), **changed))


def _group_policy(quorum=1):
    sets = {"platform": an_approver_set(accounts=(), groups=(GROUP,))}
    return FixedPolicies(a_policy(approver_sets=sets, rules=(a_rule(asking=an_asking(quorum=quorum)),)))


def _buttons(message):
    return [
        element["action_id"] for block in message.blocks if block["type"] == "actions" for element in block["elements"]
    ]


def test_an_approval_is_committed_shown_and_told(either_office):
    """One click by an approver approves; the card says who in place of its buttons, the clicker is told, so is the thread."""
    office = either_office
    request = office.world.pending()
    office.step()

    outcome = office.click("U0ADA", "approve:v1")

    assert (outcome.acked, outcome.error) == (True, None)
    assert office.world.request(request).state is State.APPROVED
    assert office.note("U0ADA") == "Approved. Countersign carries it out as soon as it may start."
    assert "👍 Approved by <@U0ADA>" in office.shown(request)
    assert _buttons(office.card()) == []
    assert "@U0ADA approved it. Approved. Queued to be carried out." in " ".join(office.thread())


def test_a_denial_by_click_waits_for_nobodys_look(office):
    """With every ordinary reader of the store taken, a click on Deny is answered: on its way nothing stands behind intake."""
    request = office.world.pending()
    office.step()

    def state() -> object:
        with office.store.reading(Urgency.URGENT) as reading:
            return reading.request(request.id).state

    with readers_taken(office.store):
        office.click("U0BORIS", "deny:v1")

        wait_until(lambda: state() is State.DENIED, what="it is denied")


@pytest.mark.parametrize("button", ["approve:v1", "deny:v1"])
def test_an_answer_names_the_card_it_is_about(office, button):
    """Where several cards wait, a note below them all says which of them it speaks of."""
    office.world.pending()
    office.step()

    office.click("U0ADA", button)

    note = office.loop.do(office.workspace.next_ephemeral("U0ADA"))
    assert "Scale Deployment checkout 3 → 6 in shop · prod-eu-1" in text_of(note.blocks)


def test_the_card_follows_the_change_to_its_end(office):
    """Approved is not applied: the card says both, each when it is so, and keeps what was asked."""
    request = office.world.pending()
    office.step()
    office.click("U0ADA", "approve:v1")
    waiting = office.shown(request)
    for _ in range(3):
        office.world.execute()

    done = office.shown(request)

    assert "⏳ Waiting to be carried out." in waiting
    assert "✅ Applied and done.* All 6 pods ready." in done
    assert "/spec/replicas" in done
    assert len(office.cards_in()) == 1


def test_a_denial_needs_one_click(either_office):
    """The plain Deny denies at once."""
    office = either_office
    request = office.world.pending()
    office.step()

    office.click("U0BORIS", "deny:v1")

    assert office.world.request(request).state is State.DENIED
    assert office.note("U0BORIS") == "Denied. Nothing will run."
    assert "*🚫 Denied by <@U0BORIS>*" in office.shown(request)


def test_a_first_card_mentions_its_approvers_once(make_office):
    """A phone rings for the first card, through the group's mention from the policy; an update mentions nobody of them."""
    office = make_office(policies=_group_policy(quorum=2))
    office.world.pending()
    office.step()
    first = office.live()
    office.click("U0ADA", "approve:v1")
    office.step()

    updated = office.live()

    assert first == [("group", "S0PROD"), ("user", "U0CHEN")]
    assert updated == [("user", "U0ADA"), ("user", "U0CHEN")]


def test_two_people_are_counted_as_they_come(make_office):
    """With a quorum of two, the card says who is missing after the first, and the same person twice counts once (T-DEC-03)."""
    office = make_office(policies=_two_needed())
    request = office.world.pending()
    office.step()

    office.click("U0ADA", "approve:v1")
    first = office.note("U0ADA")
    halfway = office.shown(request)
    office.click("U0ADA", "approve:v1")
    again = office.note("U0ADA")
    office.click("U0BORIS", "approve:v1")

    assert first == "Your approval counts. 1 more needed before anything runs."
    assert again == "Your approval counted already. 1 more needed."
    assert "*Needs 1 more approval* from platform. Approved so far by <@U0ADA>." in halfway
    assert office.world.request(request).decided_by == (ADA, BORIS)


def test_one_person_with_two_accounts_counts_once(make_office):
    """T-DEC-03: the policy's people: map says which accounts are one person."""
    office = make_office(
        policies=_two_needed(
            people=People(names={ADA: "ada", BORIS: "ada"}),
            approver_sets={"platform": an_approver_set(accounts=(ADA, BORIS, DINA))},
            charters={"scaler": a_charter(owners=Owners(business=CHEN, technical=CHEN, risk=CHEN))},
        )
    )
    request = office.world.pending()
    office.step()

    office.click("U0ADA", "approve:v1")
    office.click("U0BORIS", "approve:v1")
    both = office.world.request(request).state
    office.click("U0DINA", "approve:v1")

    assert (both, office.world.request(request).state) == (State.PENDING, State.APPROVED)


def test_a_vote_of_somebody_removed_from_the_group_does_not_count_any_more(make_office):
    """T-DEC-08: at the second approval the first voter's membership is looked at anew."""
    office = make_office(policies=_group_policy(quorum=2))
    request = office.world.pending()
    office.step()
    office.click("U0ADA", "approve:v1")
    office.change(lambda: office.workspace.set_group_members("S0PROD", ["U0BORIS", "U0CHEN"]))
    office.until(lambda: not office.directory._groups._answers, "the change of the group has reached the door")

    office.click("U0BORIS", "approve:v1")

    assert office.world.request(request).state is State.PENDING
    assert "The answer of @U0ADA does not count any more" in " ".join(_told(office))


def _told(office):
    office.step()
    return office.thread()


@pytest.mark.parametrize("how", ["emptied", "disabled", "unanswered"])
def test_a_group_without_members_approves_nothing(make_office, how):
    """T-DEC-10: an emptied or disabled group, or a lookup that fails, is nobody; the deadline denies."""
    office = make_office(policies=_group_policy())
    request = office.world.pending()
    office.step()
    office.pass_by(timedelta(seconds=30))
    if how == "emptied":
        office.change(lambda: office.workspace.set_group_members("S0PROD", []))
    elif how == "disabled":
        office.change(lambda: office.workspace.disable_group("S0PROD"))
    else:
        office.change(lambda: office.workspace.faults.errors.update({"usergroups.users.list": ["internal_error"] * 9}))

    office.click("U0ADA", "approve:v1")
    said = office.note("U0ADA")
    office.pass_by(20 * MINUTE)
    office.world.expire()

    assert said in {
        "Only platform can decide this.",
        "Slack could not be asked who is in platform just now; try again in a moment.",
    }
    assert office.world.request(request).state is State.EXPIRED
    assert "⌛ Denied automatically: nobody decided in time" in office.shown(request)


def test_an_eligible_denial_is_final(make_office):
    """T-DEC-12: one informed no outweighs the approvals after it."""
    office = make_office(policies=_two_needed())
    request = office.world.pending()
    office.step()
    card = office.card()
    office.click("U0ADA", "approve:v1", card)
    office.click("U0BORIS", "deny:v1", card)

    office.click("U0ADA", "approve:v1", card)

    assert office.world.request(request).state is State.DENIED


def test_who_is_not_in_the_channel_is_answered_by_the_other_way(office):
    """A private note needs membership; where Slack refuses it, the address that came with the click carries the answer."""
    office.world.pending()
    office.step()
    office.change(lambda: office.workspace.faults.errors.update({"chat.postEphemeral": ["user_not_in_channel"]}))

    office.click("U0ADA", "approve:v1")

    assert office.note("U0ADA") == "Approved. Countersign carries it out as soon as it may start."


def test_an_answer_that_slack_refuses_for_a_moment_is_given_again(office):
    """A form that was sent has no other way to answer: a code that can pass must not leave its sender without a word."""
    office.change(lambda: office.workspace.faults.errors.update({"chat.postEphemeral": ["org_login_required"]}))

    office.change(lambda: office.acting.tell(_by_form("U0ADA"), "hello"))

    assert office.note("U0ADA") == "hello"


def test_nobody_waits_for_an_answer_when_the_service_ends(office):
    """What is tried again holds the end up by nothing but its one try."""
    office.change(lambda: office.workspace.faults.errors.update({"chat.postEphemeral": ["org_login_required"] * 9}))

    async def ended():
        acting = Acting(
            Answers(async_client("xoxb-wrong", office.workspace.api_url, timeout_seconds=2), waits=(600.0,))
        )
        acting.tell(_by_form("U0ADA"), "hello")
        await acting.close()

    office.loop.do(ended(), within_s=20)


def test_a_card_that_does_not_show_everything_cannot_be_approved(office):
    """Where what was found does not fit there is no Approve, and a forged one is refused by the verb."""
    office.world.cluster.hpas = [_autoscaler(number) for number in range(90)]
    request = office.world.pending()
    office.step()
    card = office.card()
    buttons = _buttons(card)
    buttons_of(card)[0]["action_id"] = "approve:v1"

    office.click("U0ADA", "approve:v1", card)

    assert buttons == ["deny:v1", "deny-reason:v1"]
    assert office.note("U0ADA") == "The change does not fit on the card, so it cannot be approved here."
    assert office.world.request(request).state is State.PENDING


def _by_form(user):
    return Person(account=Account(f"T0COUNTERSIGN:{user}"), user=user, channel="C0PROD", response_url=None)


def _autoscaler(number):
    reference = {"kind": "Deployment", "name": "checkout"}
    return {
        "metadata": {"name": f"checkout-{number}-{'x' * 60}"},
        "spec": {"minReplicas": 1, "maxReplicas": 5, "scaleTargetRef": reference},
    }


def test_the_owner_decides_where_the_rule_says_so(make_office):
    """T-DEC-02: an owner approves only where the policy lets owners."""
    sets = {"platform": an_approver_set(accounts=(DINA,))}
    rules = (a_rule(asking=an_asking(owners_may_approve=True)),)
    office = make_office(policies=FixedPolicies(a_policy(approver_sets=sets, rules=rules)))
    request = office.world.pending()
    office.step()

    office.click("U0DINA", "approve:v1")

    assert office.world.request(request).state is State.APPROVED
