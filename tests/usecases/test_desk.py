"""The desk: tokens and who holds them, the policy that comes into force, what monitors report."""

from dataclasses import replace
from datetime import timedelta

import pytest

from approvals.audit.events import ALERT_STREAM, INTAKE_STREAM, POLICY_STREAM, agent_stream
from approvals.errors import Clash, Malformed, Missing, OutOfScope, Settled, Unauthorised, Unavailable
from approvals.facts import facts_of
from approvals.identity.tokens import Token, TokenKind, token_hash
from approvals.usecases.intake.admit import LONGEST
from approvals.usecases.intake.notice import Noticed
from approvals.workflow.alert import Alert, AlertState, Delivery
from tests.builders import CHANNEL, HOUR, a_policy, a_rule, an_alert_group
from tests.builders import a_report as report_of
from tests.usecases.looks import kinds, story
from tests.usecases.mishaps import Unwritable

DAY = 24 * HOUR
SECRET = "cst_a-secret"


def a_new_token(world, secret=SECRET, **changed):
    """Make a token at the desk."""
    wishes = {
        "kind": TokenKind.AGENT,
        "holder": "scaler",
        "environments": ["prod-eu-1"],
        "namespaces": ["shop"],
        "good_for": DAY,
        "by": "os:olga",
    }
    return world.admit.create(secret, **{**wishes, **changed})


def test_a_token_from_its_making_to_its_end(world, instant):
    """Its secret is not kept; it lets its holder in until it is revoked, and both are whole events of the holder's stream."""
    token = a_new_token(world)
    let_in = world.admit.who(SECRET, TokenKind.AGENT)
    instant.pass_by(HOUR)
    revoked = world.admit.revoke(token.id, by="os:olga")

    assert token == Token(
        id=token.id,
        hash=token_hash(SECRET),
        kind=TokenKind.AGENT,
        holder="scaler",
        environments=frozenset({"prod-eu-1"}),
        namespaces=frozenset({"shop"}),
        created_at=instant() - HOUR,
        created_by="os:olga",
        expires_at=instant() - HOUR + DAY,
    )
    assert (let_in, revoked) == (token, replace(token, revoked_at=instant(), revision=2))
    assert story(world, agent_stream("scaler"))[1:] == [
        ("agent.token_created", "os:olga", {"token": facts_of(token)}),
        ("agent.token_revoked", "os:olga", {"token": facts_of(revoked)}),
    ]
    with pytest.raises(Settled):
        world.admit.revoke(token.id, by="os:olga")


def test_nobody_is_told_why_a_credential_is_not_good(world, instant):
    """Unknown, of the other kind, revoked, expired: one and the same answer."""
    expired, revoked = a_new_token(world, "cst_expired", good_for=HOUR), a_new_token(world, "cst_revoked")
    a_new_token(world)
    world.admit.revoke(revoked.id, by="os:olga")
    instant.pass_by(HOUR)
    attempts = [
        ("cst_unknown", TokenKind.AGENT),
        (SECRET, TokenKind.ALERTMANAGER),
        ("cst_revoked", TokenKind.AGENT),
        ("cst_expired", TokenKind.AGENT),
    ]

    answers = set()
    for attempt in attempts:
        with pytest.raises(Unauthorised) as refusal:
            world.admit.who(*attempt)
        answers.add((refusal.value.code, refusal.value.sentence))

    assert answers == {("unauthorised", "The credential is missing or not good.")}
    assert expired.expires_at == instant()


WISHES = {
    "an agent nobody knows": ({"holder": "stranger"}, "unknown_agent"),
    "an environment nobody knows": ({"environments": ["prod-us-1"]}, "unknown_environment"),
    "no time": ({"good_for": timedelta(0)}, "out_of_range"),
    "too long": ({"good_for": LONGEST + timedelta(microseconds=1)}, "out_of_range"),
    "a monitor of nowhere": ({"kind": TokenKind.ALERTMANAGER, "environments": []}, "one_environment"),
}


@pytest.mark.parametrize(("wish", "code"), WISHES.values(), ids=WISHES)
def test_a_token_that_would_make_no_sense(wish, code, world):
    """What the policy does not know, and what would be good for ever, is refused, and nothing is kept."""
    with pytest.raises(Malformed) as refusal:
        a_new_token(world, **wish)

    assert refusal.value.code == code
    with pytest.raises(Unauthorised):
        world.admit.who(SECRET, TokenKind.AGENT)


def test_a_token_may_be_good_for_a_year(world, instant):
    """The longest time is included."""
    assert a_new_token(world, good_for=LONGEST).expires_at == instant() + LONGEST


def test_there_is_no_such_token(world):
    """An id that names no token is said so."""
    with pytest.raises(Missing):
        world.admit.revoke("tok_none", by="os:olga")


def test_refused_calls_are_written_down(world):
    """Of an authenticated call its code and the field, and nothing it said; strangers are counted."""
    token = a_new_token(world)

    world.admit.record_refusal(token, Malformed("No.", code="out_of_range", field="/timeout_seconds"))
    world.admit.record_strangers({"unauthorised 10.0.0.2": 3, "unauthorised 10.0.0.1": 1})

    told = {"token": token.id, "code": "out_of_range", "field": "/timeout_seconds"}
    assert story(world, agent_stream("scaler"))[-1] == ("intake.refused", f"token:{token.id}", told)
    counts = {"unauthorised 10.0.0.1": 1, "unauthorised 10.0.0.2": 3}
    assert story(world, INTAKE_STREAM) == [("intake.refusals_counted", "countersign", {"counts": counts})]


def test_each_coming_into_force_is_written_down(world):
    """With its version, its rules and whether it is new; its text is kept once."""
    changed = a_policy(version="b" * 64, rules=(a_rule("other"),))

    new = [
        world.adopt(changed, "the new text", by="os:olga"),
        world.adopt(a_policy(), "the policy's text", by="os:olga"),
    ]

    assert new == [True, False]
    assert story(world, POLICY_STREAM)[1:] == [
        ("policy.loaded", "os:olga", {"version": "b" * 64, "new": True, "rules": ["other"]}),
        ("policy.loaded", "os:olga", {"version": "a" * 64, "new": False, "rules": ["shop-changes"]}),
    ]
    with world.store.reading() as reading:
        assert reading.policy_text("b" * 64) == "the new text"


def a_report(instant, state=AlertState.FIRING, **changed):
    """Return what a delivery says of one alert."""
    return report_of(state, starts_at=instant() - HOUR, **changed)


@pytest.fixture
def monitor(world):
    """The token of a monitor of production."""
    return a_new_token(world, kind=TokenKind.ALERTMANAGER, holder="am", namespaces=[])


def test_an_alert_from_its_start_to_its_end(world, monitor, instant):
    """New once, folded while it goes on, resolved once: two events, and one row."""
    firing, over = a_report(instant), a_report(instant, AlertState.RESOLVED)
    deliveries = [world.notice(Delivery(reports=(report,)), monitor) for report in (firing, firing, over, over, firing)]

    folded = Noticed(new=0, changed=0, folded=1)
    assert deliveries == [
        Noticed(new=1, changed=0, folded=0),
        folded,
        Noticed(new=0, changed=1, folded=0),
        folded,
        folded,
    ]
    with world.store.reading() as reading:
        alert = reading.last_alert("prod-eu-1", "f1")
        group = reading.alert_group(alert.alert_group)
    assert alert == Alert(
        id=alert.id,
        token=monitor.id,
        environment="prod-eu-1",
        channel=CHANNEL,
        alert_group=group.id,
        fingerprint="f1",
        starts_at=firing.starts_at,
        ended_at=None,
        state=AlertState.RESOLVED,
        revision=2,
        seen_at=instant(),
        resolved_at=instant(),
    )
    assert group == an_alert_group(
        AlertState.RESOLVED, id=group.id, revision=2, opened_at=instant(), resolved_at=instant()
    )
    assert kinds(world, ALERT_STREAM) == [
        "alert.firing",
        "alert.group_changed",
        "alert.resolved",
        "alert.group_resolved",
    ]
    assert story(world, ALERT_STREAM)[2:] == [
        ("alert.resolved", f"token:{monitor.id}", {"alert": facts_of(alert)}),
        (
            "alert.group_resolved",
            f"token:{monitor.id}",
            {"group": facts_of(group), "delivery": {"changed": 1, "cut": {}}},
        ),
    ]


def test_an_alert_first_heard_of_when_it_is_over(world, monitor, instant):
    """It is taken down as resolved."""
    over = a_report(instant, AlertState.RESOLVED)

    assert world.notice(Delivery(reports=(over, over)), monitor) == Noticed(new=1, changed=0, folded=1)
    assert kinds(world, ALERT_STREAM) == ["alert.resolved", "alert.group_resolved"]


def test_deliveries_of_one_alert_that_race(world, monitor, instant):
    """A lost race is looked at again, five times at most; then the sender delivers again."""
    faster = Clash("Another delivery was faster.")
    notice = replace(world.notice, store=Unwritable(world.store, faster, times=4))
    keeps_losing = replace(world.notice, store=Unwritable(world.store, faster, times=5))

    assert notice(Delivery(reports=(a_report(instant),)), monitor).new == 1
    with pytest.raises(Unavailable):
        keeps_losing(Delivery(reports=(a_report(instant),)), monitor)


def test_a_monitor_of_an_environment_that_is_gone(world, monitor, instant):
    """The policy does not know the token's environment any more: there is no channel to show it in."""
    world.policies.policy = a_policy(environments={})

    with pytest.raises(OutOfScope) as refusal:
        world.notice(Delivery(reports=(a_report(instant),)), monitor)

    assert refusal.value.code == "unknown_environment"
