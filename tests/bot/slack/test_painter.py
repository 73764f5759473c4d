"""The painter: what it draws when a row is missing, and values of every kind."""

from dataclasses import replace
from decimal import Decimal
from typing import cast

import pytest

from approvals.identity.names import Account
from approvals.identity.people import People
from approvals.ports.reading import Reading
from approvals.verbs.verb import Effect
from approvals.workflow.escalation import Breach
from approvals.workflow.execution import Phase
from approvals.workflow.pause import scope_of
from approvals.workflow.request import Answer, Earlier, State
from bot.outbox.delivery import Drawn, DrawReason, NotAsApproved
from bot.slack.messages.buttons import APPROVE, DENY, DENY_WITH_REASON
from bot.slack.messages.outcome_part import earlier_line, execution_line, outcome_line
from bot.slack.messages.painter import SlackPainter
from bot.slack.messages.review_part import draw_review, render_review
from models.store.marks import shown_of
from tests.bot.slack.office import text_of
from tests.bot.slack.pictures import a_card, a_review, a_standing_of, problems, words
from tests.builders import (
    ADA,
    BORIS,
    CHANNEL,
    ELI,
    TEAM,
    a_change,
    a_charter,
    a_denial,
    a_policy,
    a_request,
    a_rule,
    a_ruling,
    an_action,
    an_approver_set,
    an_asking,
    an_execution,
)
from tests.fakes.cluster import FakeCluster
from tests.world import FixedPolicies, World


@pytest.mark.parametrize("kind", ["request", "pause", "alert", "something"])
def test_what_is_not_there_cannot_be_drawn(noon_store, kind):
    """A card whose subject is gone is given up by the relay, not drawn from thin air."""
    store, _ = noon_store
    drawn = Drawn(subject="x_00000000000000000000000001", kind=kind, channel=CHANNEL, revision=1)

    with store.reading() as reading, pytest.raises(LookupError):
        SlackPainter(FixedPolicies()).card(reading, drawn, DrawReason.FIRST)


def the_notice(store, pause, occasion=DrawReason.UPDATE):
    """Return the notice of *pause* as it is now: from the reasons on, a line of text each."""
    drawn = Drawn(subject=pause.id, kind="pause", channel=CHANNEL, revision=1)
    with store.reading() as reading:
        message = SlackPainter(FixedPolicies()).card(reading, drawn, occasion)
    return text_of([block for block in message.blocks if block["block_id"].startswith("reason")])


def test_a_notice_tells_the_reasons_of_a_pause_from_those_of_its_resume(noon_store):
    """Whoever resumes gives a reason of their own: it never stands as the reason why things were stopped."""
    store, _ = noon_store
    world = World(store=store).settled()
    pause = world.pause(scope_of("all"), account=ADA, duration=None, reason="The database melts.").pause
    engaged = the_notice(store, pause)
    world.resume(pause.id, account=ADA, reason="It is solid again.")
    agreed = the_notice(store, pause)
    world.resume(pause.id, account=BORIS, reason="Looks fine.")

    why = "The reason given\nThe database melts."
    first = f"{why}\nA reason given for the resume, by \nIt is solid again."
    assert (engaged, agreed) == (why, first)
    assert the_notice(store, pause) == f"{first}\nA reason given for the resume, by \nLooks fine."


def test_a_notice_without_a_reason_takes_none_from_its_resume(noon_store):
    """A replacement rings no phone: it names who gave the reason in words."""
    store, _ = noon_store
    world = World(store=store).settled()
    pause = world.pause(scope_of("all"), account=ADA, duration=None, reason="").pause
    world.resume(pause.id, account=BORIS, reason="Looks fine.")

    told = the_notice(store, pause, DrawReason.REPLACEMENT)

    assert told == f"A reason given for the resume, by \n{BORIS}\nLooks fine."


def test_a_reason_given_when_a_pause_is_asked_for_again_is_added(noon_store):
    """Said twice, a pause is one pause; why is what was said both times."""
    store, _ = noon_store
    world = World(store).settled()
    pause = world.pause(scope_of("all"), account=ADA, duration=None, reason="The database melts.").pause

    world.pause(scope_of("all"), account=ADA, duration=None, reason="So does the cache.")

    assert the_notice(store, pause) == "The reason given\nThe database melts.\nSo does the cache."


class _Rows:
    """A look at one pending request whose plan is gone."""

    def request(self, request_id):
        return a_request()

    def plan(self, fingerprint):
        return None


def the_card(world, request):
    """Return the card of *request* as it is now, and whether it can be approved there."""
    drawn = Drawn(subject=request.id, kind="request", channel=CHANNEL, revision=1)
    with world.store.reading() as reading:
        message = SlackPainter(world.policies).card(reading, drawn, DrawReason.UPDATE)
    (status,) = [block["text"]["text"] for block in message.blocks if block["block_id"].startswith("status:")]
    changed = [block["text"]["text"] for block in message.blocks if block["block_id"].startswith("policy:")]
    actions = [one["action_id"] for block in message.blocks for one in block.get("elements", ()) if "action_id" in one]
    return status.removeprefix("⏳ ").partition(" Denied automatically ")[0], changed, actions


@pytest.fixture
def asked(noon_store):
    """A world in which a change was asked for under a policy that asks one of the platform people, and Ada may approve it."""
    store, _ = noon_store
    world = World(store=store, render=render_review).settled()
    return world, world.pending()


def test_a_card_under_its_own_policy_says_nothing_of_another(asked):
    """The usual case: what decides is what it was asked under."""
    assert the_card(*asked) == ("*Needs 1 approval* from platform.", [], [DENY, APPROVE, DENY_WITH_REASON])


def test_a_card_counts_by_the_ruling_that_decides(asked):
    """A reload that asks for two: the card says two, and how many it was, however the reviewed part was drawn."""
    world, request = asked
    world.policies.policy = a_policy(version="b" * 64, rules=(a_rule(asking=an_asking(quorum=2)),))
    world.answers(request, ADA)

    assert the_card(world, request) == (
        "*Needs 1 more approval* from platform. Approved so far by <@U0ADA>.",
        [
            (
                "📜 *The policy has changed since this was asked.* It needs 2 approvals from platform now;"
                " it needed 1 approval from platform when it was asked."
            )
        ],
        [DENY, APPROVE, DENY_WITH_REASON],
    )


def test_an_approval_that_surely_fell_is_not_counted(asked):
    """Ada approved and is not among the people any more: the card does not say that one is enough."""
    world, request = asked
    two = (a_rule(asking=an_asking(quorum=2)),)
    world.policies.policy = a_policy(version="b" * 64, rules=two)
    world.answers(request, ADA)
    others = {"platform": an_approver_set(accounts=[BORIS, ELI])}
    world.policies.policy = a_policy(version="c" * 64, rules=two, approver_sets=others)

    assert the_card(world, request)[0] == "*Needs 2 approvals* from platform."


def test_a_card_that_the_policy_denies_by_now_cannot_be_approved(asked):
    """Its button would refuse everybody who presses it: the card says so, and Deny stays."""
    world, request = asked
    world.policies.policy = a_policy(version="b" * 64, rules=(a_rule(), a_denial(reason="Freeze.")))

    assert the_card(world, request)[1:] == (
        [
            (
                "📜 *The policy has changed since this was asked, and denies it now.* Rule never denies it: Freeze."
                " Nobody can approve it."
            )
        ],
        [DENY, DENY_WITH_REASON],
    )


def test_people_who_are_out_by_now_are_said(asked):
    """The same number of the same set, and one of them owns the agent by now."""
    world, request = asked
    owned = a_charter(owners=replace(a_charter().owners, risk=ADA))
    world.policies.policy = a_policy(version="b" * 64, charters={"scaler": owned})

    assert the_card(world, request)[1] == [
        "📜 *The policy has changed since this was asked*: some of the people asked can no longer approve it."
    ]


def test_accounts_that_are_one_person_by_now_are_said(asked):
    """Two had approved of three; by the map they are one, so the card counts one and says why."""
    world, request = asked
    three = {"rules": (a_rule(asking=an_asking(quorum=3)),)}
    world.policies.policy = a_policy(version="b" * 64, **three)
    world.answers(request, ADA)
    world.answers(request, BORIS)
    world.policies.policy = a_policy(version="c" * 64, people=People(names={ADA: "a", BORIS: "a"}))

    assert the_card(world, request)[1] == [
        "📜 *The policy has changed since this was asked*: some accounts now belong to one person, and count once."
    ]


def test_a_card_whose_approvals_suffice_by_now_says_what_is_missing(asked):
    """It took two when Ada approved and takes one again: never "needs 0 more", but what carries it out."""
    world, request = asked
    world.policies.policy = a_policy(version="b" * 64, rules=(a_rule(asking=an_asking(quorum=2)),))
    world.answers(request, ADA)
    world.policies.policy = a_policy()

    assert the_card(world, request)[0] == (
        "*It has enough approvals under the policy in force now, and starts when one of the people who gave them presses Approve"
        " again.* Approved so far by <@U0ADA>."
    )
    assert world.answers(request, ADA).request.state is State.APPROVED


def test_a_request_without_its_plan_is_not_drawn():
    """I8: what cannot be vouched for gets no buttons."""
    drawn = Drawn(subject=a_request().id, kind="request", channel=CHANNEL, revision=1)

    with pytest.raises(NotAsApproved):
        SlackPainter(FixedPolicies()).card(cast("Reading", _Rows()), drawn, DrawReason.FIRST)


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        (None, True, ("(not set)", "true")),
        (False, None, ("false", "(not set)")),
        ("6", 6, ('"6"', "6")),
        ("a\nb", 'c"', ('"a\\nb"', '"c\\""')),
        ("x" + " " * 40 + "y", "", ('"x\\{40 spaces}y"', '""')),
        ("gro\u00df", "gross", ('"gro\\u{DF}"', '"gross"')),
    ],
    ids=["set", "removed", "text and number", "line break and quote", "padding", "not ASCII"],
)
def test_each_kind_of_value_is_shown_exactly(before, after, shown):
    """I8: a value that differs looks different, whatever it is made of."""
    part = draw_review(a_review(a_change("/a", before, after)))

    values = [one["text"] for one in part.change["elements"][0]["elements"] if one.get("style") == {"code": True}]
    assert values == ["/a", *shown]


def test_more_claims_and_exhibits_than_a_card_shows_are_counted():
    """Nothing an agent adds pushes the rest off the card; what is left out is counted."""
    breaches = tuple(
        Breach(limit=f"limit-{number}", observed=Decimal("1e40"), ceiling=Decimal(0)) for number in range(9)
    )
    texts = {f"evidence {number} {part}": "x" for number in range(1, 8) for part in ("title", "text")}
    said = words(**texts).__class__(texts={"rationale": "r", **texts}, breaches=breaches, confidence=None, limits={})

    card = a_card(a_standing_of(said=said))

    shown = text_of(card.blocks)
    assert "6 more claims" in shown
    assert "4 more pieces of evidence" in shown
    assert problems(card) == []


@pytest.mark.parametrize("message", ["", "The cluster cannot be reached."])
def test_what_shows_alike_is_drawn_alike(message):
    """A card is not drawn again where :func:`models.store.marks.shown_of` sees no change: so its line must be the same."""
    lines: dict[object, set[str]] = {}
    for phase in Phase:
        for effect in (None, *Effect):
            one = replace(an_execution(phase), effect=effect, message=message)
            lines.setdefault(shown_of(one), set()).add(execution_line(one))

    assert [found for found in lines.values() if len(found) > 1] == []


def test_a_waiting_request_has_no_outcome():
    """An outcome is never invented for what has none."""
    with pytest.raises(ValueError, match="no outcome"):
        outcome_line(a_request(state=State.PENDING), named=True)


def test_more_approvers_than_a_card_mentions_are_counted():
    """A set of forty people is named once and mentioned in part; who is left out is counted."""
    policy = a_policy(
        approver_sets={
            "platform": an_approver_set(accounts=[Account(f"{TEAM}:U0P{number:02d}") for number in range(40)])
        }
    )

    card = a_card(a_standing_of(a_request(ruling=a_ruling(policy))))

    (asked,) = [block["text"]["text"] for block in card.blocks if block["block_id"].startswith("asked:")]
    assert asked.count("<@U0P") == 10
    assert asked.endswith(" and 30 more")


def test_a_card_tells_what_became_of_the_same_effect_lately(noon_store):
    """Beside the review, whose hash stays: how often it was asked, by whomever, and who denied it."""
    store, _ = noon_store
    world = World(store=store, render=render_review).settled()
    world.answers(world.pending("key-1"), answer=Answer.DENY)
    world.pending("key-2", action=an_action(), on_behalf_of=None)
    question = world.pending("key-3", action=an_action())
    drawn = Drawn(subject=question.id, kind="request", channel=CHANNEL, revision=1)

    with store.reading() as reading:
        card = SlackPainter(world.policies).card(reading, drawn, DrawReason.FIRST)

    (block,) = [one for one in card.blocks if one["block_id"].startswith("earlier")]
    assert block["text"]["text"].startswith(
        "🔁 *Asked twice in the 24 hours before this.* The same was denied by <@U0ADA> <!date^"
    )


@pytest.mark.parametrize(
    ("earlier", "said"),
    [
        (Earlier(asked=0, denied=None), ""),
        (Earlier(asked=1, denied=None), "🔁 *Asked once in the 24 hours before this.*"),
        (Earlier(asked=9, denied=None), "🔁 *Asked 9 times in the 24 hours before this.*"),
        (
            Earlier(asked=0, denied=a_request(state=State.DENIED, decided_by=("os:olga",))),
            "🔁 The same was denied by os:olga.",
        ),
    ],
    ids=["never", "once", "often", "denied since"],
)
def test_the_past_of_an_effect_in_words(earlier, said):
    """Nothing is said where there is nothing to say."""
    assert earlier_line(earlier, named=True) == said


def test_a_card_tells_what_is_still_under_way_on_its_target(noon_store):
    """Beside the review, whose hash stays: another change of the same target rolls out, and one of another target is not."""
    store, _ = noon_store
    cluster = FakeCluster.with_checkout()
    cluster.rolling = True
    world = World(store=store, cluster=cluster, render=render_review).settled()
    first = world.answers(world.pending("key-1")).request
    world.execute()
    world.execute()
    question = world.pending("key-2", action=an_action(replicas=2))
    drawn = Drawn(subject=question.id, kind="request", channel=CHANNEL, revision=1)

    with store.reading() as reading:
        card = SlackPainter(world.policies).card(reading, drawn, DrawReason.FIRST)

    (block,) = [one for one in card.blocks if one["block_id"].startswith("under-way")]
    assert block["text"]["text"].startswith(
        f"🔄 *Other changes of this target were under way* when this card was drawn: rollout of {first.id} ("
    )
