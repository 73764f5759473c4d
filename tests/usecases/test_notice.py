"""Notice: what monitors report becomes cards that inform, one a group; repeats fold, and what is refused is heard of."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier

import pytest

from approvals.errors import Clash, Malformed, OutOfScope
from approvals.identity.tokens import TokenKind
from approvals.usecases.intake.admit import TokenOver
from approvals.usecases.intake.notice import Noticed
from approvals.workflow.alert import AlertState, Delivery
from models.outbox.cards import Cards
from tests.builders import CHANNEL, HOUR, MINUTE, a_policy, a_report
from tests.usecases.looks import kinds, tamper
from tests.usecases.mishaps import Unwritable
from tests.world import FixedPolicies

FIRING = AlertState.FIRING
RESOLVED = AlertState.RESOLVED
REFUSAL = Malformed("No.", code="not_json")


@pytest.fixture
def world(make_world):
    """A world with a second environment."""
    policy = a_policy()
    return make_world(replace(policy, environments={**policy.environments, "other": policy.environments["prod-eu-1"]}))


def a_monitor(world, name="am", secret="cst_monitor", environment="prod-eu-1"):
    """Return a monitor's new token."""
    return world.admit.create(
        secret,
        kind=TokenKind.ALERTMANAGER,
        holder=name,
        environments=[environment],
        namespaces=(),
        good_for=timedelta(days=1),
        by="os:olga",
    )


@pytest.fixture
def monitor(world):
    """A monitor's token."""
    return a_monitor(world)


def says(world, token, *reports, **cut):
    """Let a monitor deliver *reports*, and return what came of them: new, changed, folded."""
    noticed = world.notice(Delivery(reports=reports, cut=cut), token)
    return (noticed.new, noticed.changed, noticed.folded)


def report(instant, state=FIRING, *, ends=None, start=timedelta(0), **changed):
    """Return a report of an alert that began now, or so much later."""
    ends_at = None if ends is None else instant() + ends
    return a_report(state, starts_at=instant() + start, ends_at=ends_at, **changed)


def cards_of(world):
    """Return each card to be shown of an alert or a group: whether it is closed, and its group."""
    with world.store.reading() as reading:
        return [
            (task.closed, reading.alert_group(task.subject))
            for task in sorted(Cards(world.store).behind(limit=99), key=lambda task: task.subject)
        ]


def test_a_delivery_is_taken_once_and_its_resolution_noted_once(world, monitor, instant):
    """New, repeated, resolved, resolved again: one alert, and each change of it once (T-RACE-08)."""
    first, second = report(instant), report(instant, fingerprint="f2")
    over = replace(first, state=RESOLVED)

    outcomes = [says(world, monitor, *reports) for reports in ([first, second], [first], [over], [over])]

    assert outcomes == [(2, 0, 0), (0, 0, 1), (0, 1, 0), (0, 0, 1)]
    ((closed, group),) = cards_of(world)
    assert (closed, group.state, group.firing, group.total, group.revision) == (False, FIRING, 1, 2, 2)


def test_a_group_has_one_card_and_resolves_with_the_last_of_its_alerts(world, monitor, instant):
    """However many alerts: people see one card, which is closed once none of them burns."""
    reports = [report(instant, fingerprint=f"f{number}") for number in range(50)]
    says(world, monitor, *reports)
    says(world, monitor, *(replace(one, state=RESOLVED) for one in reports[:49]))
    burning = cards_of(world)
    says(world, monitor, replace(reports[49], state=RESOLVED))

    ((closed_before, before),), ((closed, group),) = burning, cards_of(world)
    assert (closed_before, before.state, before.firing, before.total) == (False, FIRING, 1, 50)
    assert (closed, group.state, group.firing, group.total, group.resolved_at) == (True, RESOLVED, 0, 50, instant())


def test_what_one_token_reports_another_may_end(world, monitor, instant):
    """Firing with token A and resolved with token B, as after a rotation, close one card: identity is what the sender keeps."""
    other = a_monitor(world, name="am-2", secret="cst_other")
    says(world, monitor, report(instant))

    assert says(world, other, report(instant), report(instant, RESOLVED)) == (0, 1, 1)
    assert [(closed, group.state) for closed, group in cards_of(world)] == [(True, RESOLVED)]


def test_the_same_alert_of_another_environment_is_another(world, monitor, instant):
    """Two monitors with the same labels in two environments burn apart."""
    other = a_monitor(world, name="am-2", secret="cst_other", environment="other")
    says(world, monitor, report(instant))
    says(world, other, report(instant))

    assert says(world, monitor, report(instant, RESOLVED)) == (0, 1, 0)
    assert [(group.environment, group.state) for _, group in cards_of(world)] == [
        ("prod-eu-1", RESOLVED),
        ("other", FIRING),
    ]


def test_twins_with_clocks_apart_make_one_alert(world, monitor, instant):
    """A pair of Alertmanagers may see a start some seconds apart: one card, and either one's end ends it."""
    twin = report(instant, start=timedelta(seconds=10))
    outcomes = [
        says(world, monitor, report(instant)),
        says(world, monitor, twin),
        says(world, monitor, report(instant, RESOLVED, ends=MINUTE)),
        says(world, monitor, replace(twin, state=RESOLVED, ends_at=instant() + MINUTE)),
        says(world, monitor, twin),
    ]

    assert outcomes == [(1, 0, 0), (0, 0, 1), (0, 1, 0), (0, 0, 1), (0, 0, 1)]
    assert [closed for closed, _ in cards_of(world)] == [True]


def test_what_burns_again_rings_again(world, monitor, instant):
    """After its end, a later start is another time: a new card, since the old one is far up the channel by now."""
    says(world, monitor, report(instant))
    says(world, monitor, report(instant, RESOLVED, ends=MINUTE))

    assert says(world, monitor, report(instant, start=2 * MINUTE)) == (1, 0, 0)
    assert [(closed, group.state) for closed, group in cards_of(world)] == [(True, RESOLVED), (False, FIRING)]


def test_what_burns_again_rings_again_though_its_end_was_lost(world, monitor, instant):
    """The old card says that it is over as soon as the next time begins; one that has others to show burns on, and is redrawn."""
    says(world, monitor, report(instant), report(instant, fingerprint="b", group="other"))
    says(world, monitor, report(instant, fingerprint="c", group="other"))

    again = (report(instant, start=2 * HOUR), report(instant, fingerprint="b", group="other", start=2 * HOUR))

    assert says(world, monitor, *again) == (2, 0, 0)
    assert says(world, monitor, *again) == (0, 0, 2)
    assert [(closed, group.state, group.firing, group.total) for closed, group in cards_of(world)] == [
        (True, RESOLVED, 0, 1),
        (False, FIRING, 2, 3),
        (False, FIRING, 1, 1),
    ]


def test_what_was_on_no_groups_card_rings_again_too(world, monitor, instant):
    """An alert of before there were groups: its lost end closes nothing, and what burns anew has a card."""
    says(world, monitor, report(instant))
    tamper(world, "UPDATE alerts SET alert_group = NULL")

    assert says(world, monitor, report(instant, start=2 * HOUR)) == (1, 0, 0)
    assert [group.firing for _, group in cards_of(world) if group is not None][-1] >= 1


def test_an_alert_without_a_start_can_burn_end_and_burn_again(world, monitor, instant):
    """The year 1 is no start: the fingerprint tells it apart, and in doubt an alarm is shown."""
    bare = a_report(starts_at=None)

    outcomes = [says(world, monitor, one) for one in (bare, bare, replace(bare, state=RESOLVED), bare)]

    assert outcomes == [(1, 0, 0), (0, 0, 1), (0, 1, 0), (1, 0, 0)]


def test_one_alert_in_two_groups_is_on_one_card(world, monitor, instant):
    """Two routes, two group keys, one alert: it is told once, and ends with either."""
    says(world, monitor, report(instant))

    assert says(world, monitor, report(instant, group="g2")) == (0, 0, 1)
    assert says(world, monitor, report(instant, RESOLVED, group="g2")) == (0, 1, 0)
    assert [closed for closed, _ in cards_of(world)] == [True]


def test_one_delivery_may_say_several_things_of_one_alert(world, monitor, instant):
    """Each in its turn: burns, is over, burns again."""
    reports = [report(instant), report(instant, RESOLVED, ends=MINUTE), report(instant, start=2 * MINUTE)]

    assert says(world, monitor, *reports) == (2, 1, 0)
    ((_, group),) = cards_of(world)
    assert (group.state, group.firing, group.total) == (FIRING, 1, 2)


def test_what_was_cut_is_on_the_card_and_on_record(world, monitor, instant):
    """The card keeps the most that a delivery was cut by; a repeat that is cut alike changes nothing."""
    cut = report(instant, cut={"labels": 2})
    noticed = [world.notice(Delivery(reports=(cut,), cut={"alerts": 1}), monitor) for _ in range(2)]
    ((_, group),) = cards_of(world)
    says(world, monitor, cut, alerts=3)
    ((_, after),) = cards_of(world)

    both = {"alerts": 1, "labels": 2}
    assert noticed == [Noticed(new=1, changed=0, folded=0, cut=both), Noticed(new=0, changed=0, folded=1, cut=both)]
    assert (group.cut, group.revision, after.cut, after.revision) == (both, 1, {"alerts": 3, "labels": 2}, 2)
    assert kinds(world, "alert") == ["alert.firing", "alert.group_changed", "alert.group_changed"]


def test_a_delivery_of_nothing_changes_nothing(world, monitor):
    """As some senders test a contact point."""
    assert world.notice(Delivery(reports=()), monitor) == Noticed(new=0, changed=0, folded=0)


def test_an_environment_that_the_policy_dropped_is_refused(world, monitor, instant):
    """The monitor's token outlives its environment: the delivery is refused in words, and nothing is stored."""
    world.policies.policy = replace(a_policy(), environments={})

    with pytest.raises(OutOfScope) as refused:
        says(world, monitor, report(instant))

    assert refused.value.code == "unknown_environment"
    with world.store.reading() as reading:
        assert reading.last_alert("prod-eu-1", "f1") is None


def test_twins_that_deliver_at_once_leave_right_numbers(world, monitor, instant):
    """Two at the same moment end different alerts of one group: the group ends, on either engine."""
    for number in range(4):
        reports = [report(instant, fingerprint=f"{number} {one}", group=str(number)) for one in range(4)]
        says(world, monitor, *reports[:2])
        barrier = Barrier(4)

        def deliver(one, barrier=barrier):
            barrier.wait(10)
            return says(world, monitor, replace(one, state=RESOLVED))

        with ThreadPoolExecutor(4) as pool:
            outcomes = list(pool.map(deliver, reports))

        assert sorted(outcomes) == [(0, 1, 0), (0, 1, 0), (1, 0, 0), (1, 0, 0)]
    assert {(group.firing, group.state) for _, group in cards_of(world)} == {(0, RESOLVED)}


def refused(world, monitor, *, since=HOUR):
    """Return what is told of refused deliveries: channel, and how many by code; the latest first."""
    with world.store.reading() as reading:
        found = reading.refused_lately(since=reading.now - since, limit=9)
    return [(one.channel, one.monitor, dict(one.codes)) for one in found]


def test_people_hear_of_refused_deliveries_once_an_hour(world, monitor, instant):
    """In the channel of the environment, whichever token of the monitor it was."""
    again = a_monitor(world, secret="cst_again")
    for token in (monitor, again, monitor):
        world.admit.record_refusal(token, REFUSAL)
    cards = [task.channel for task in Cards(world.store).behind(limit=9)]
    instant.pass_by(HOUR)
    world.admit.record_refusal(again, REFUSAL)

    assert cards == [CHANNEL]
    assert refused(world, monitor, since=2 * HOUR) == [
        (CHANNEL, "am", {"not_json": 1}),
        (CHANNEL, "am", {"not_json": 3}),
    ]
    assert len(Cards(world.store).behind(limit=9)) == 2


def test_a_token_that_is_over_is_counted_and_told_to_nobody(world, monitor, instant):
    """Anybody may show a token that was given up, so no channel hears of it; status does, for that is where alerts stop."""
    world.admit.revoke(monitor.id, by="os:olga")
    with pytest.raises(TokenOver) as over:
        world.admit.who("cst_monitor", TokenKind.ALERTMANAGER)
    world.admit.record_over(over.value.token)
    expired = a_monitor(world, secret="cst_again")
    instant.pass_by(timedelta(days=1))
    world.admit.record_over(expired)

    assert refused(world, monitor, since=timedelta(days=2)) == [
        ("", "am", {"token_expired": 1}),
        ("", "am", {"token_revoked": 1}),
    ]
    assert Cards(world.store).behind(limit=9) == ()


def test_where_the_environment_is_gone_nobody_is_told_in_a_channel(world, monitor):
    """There is none; status says so."""
    world.policies.policy = replace(a_policy(), environments={})

    world.admit.record_refusal(monitor, REFUSAL)

    assert refused(world, monitor) == [("", "am", {"not_json": 1})]


def test_refusals_at_once_begin_one_hour(world, monitor):
    """By a constraint: whoever loses counts with the winner."""
    barrier = Barrier(3)

    def refuse(_):
        barrier.wait(10)
        world.admit.record_refusal(monitor, REFUSAL)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(refuse, range(3)))

    assert refused(world, monitor) == [(CHANNEL, "am", {"not_json": 3})]


def test_a_refusal_that_keeps_losing_is_said(world, monitor):
    """It is then counted elsewhere, by whoever wanted it on record."""
    losing = Unwritable(world.store, Clash("Somebody was faster."))
    admit = replace(world.admit, store=losing, policies=FixedPolicies())

    with pytest.raises(Clash):
        admit.record_refusal(monitor, REFUSAL)
