"""Alerts: told once when they fire and once when they resolve, however often they are delivered."""

from dataclasses import replace
from typing import Any

import pytest

from approvals.alert import Alert, AlertState, Report, first_seen, seen_again
from approvals.audit import NOTHING, AuditEvent, Kind, Transition
from approvals.facts import facts_of
from tests.builders import CHANNEL, HOUR, MINUTE, NOON


def an_alert(state: AlertState = AlertState.FIRING, **changed: Any) -> Alert:
    """Return an alert that was first seen at noon."""
    alert = Alert(
        id="alert_1",
        token="tok_am",
        environment="prod-eu-1",
        channel=CHANNEL,
        fingerprint="abc",
        starts_at=NOON - HOUR,
        state=state,
        revision=1,
        seen_at=NOON,
    )
    return replace(alert, **changed)


def a_report(state: AlertState = AlertState.FIRING) -> Report:
    """Return what a monitor says of it, in its words."""
    return Report(
        fingerprint="abc",
        starts_at=NOON - HOUR,
        state=state,
        labels={"alertname": "HighLatency"},
        annotations={"summary": "<!channel> slow"},
    )


def an_event(kind: Kind, alert: Alert, at: Any) -> AuditEvent:
    """Return the event that tells it: the monitor's words stand beside the chain, under names of their own."""
    return AuditEvent(
        kind=kind,
        stream="alert",
        actor="token:tok_am",
        at=at,
        data={"alert": facts_of(alert)},
        private={"label alertname": "HighLatency", "annotation summary": "<!channel> slow"},
    )


@pytest.mark.parametrize(
    ("state", "kind"), [(AlertState.FIRING, Kind.ALERT_FIRING), (AlertState.RESOLVED, Kind.ALERT_RESOLVED)]
)
def test_an_alert_is_told_when_it_is_first_seen(state, kind):
    """As what it is then: one that has resolved already is no alarm."""
    alert = an_alert(state)

    assert first_seen(alert, a_report(state)) == Transition(nouns=(alert,), events=(an_event(kind, alert, NOON),))


def test_an_alert_resolves_once():
    """The report that it is over changes its state, at a new revision."""
    after = an_alert(AlertState.RESOLVED, revision=2, resolved_at=NOON + MINUTE)

    assert seen_again(an_alert(), a_report(AlertState.RESOLVED), now=NOON + MINUTE) == Transition(
        nouns=(after,), events=(an_event(Kind.ALERT_RESOLVED, after, NOON + MINUTE),)
    )


@pytest.mark.parametrize(
    ("before", "report"),
    [
        (AlertState.FIRING, AlertState.FIRING),
        (AlertState.RESOLVED, AlertState.FIRING),
        (AlertState.RESOLVED, AlertState.RESOLVED),
    ],
)
def test_a_repeat_or_a_late_firing_changes_nothing(before, report):
    """T-RACE-08: a highly available pair of monitors sends everything twice, and out of order."""
    assert seen_again(an_alert(before), a_report(report), now=NOON + MINUTE) is NOTHING
