"""Alerts: what a monitor says, shown to people and nothing more. An alert is not an escalation: there is nothing to decide.

Deliveries come at least once and may be doubled, so one alert is told apart by token, fingerprint and start.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from approvals.audit import ALERT_STREAM, NOTHING, AuditEvent, Kind, Transition
from approvals.facts import facts_of


class AlertState(StrEnum):
    """Where an alert stands. Stored; never renamed."""

    FIRING = "firing"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert, from its start on."""

    id: str
    token: str
    environment: str
    channel: str
    fingerprint: str
    """The sender's own."""
    starts_at: datetime
    state: AlertState
    revision: int
    seen_at: datetime
    resolved_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What one delivery says of one alert. The texts are the sender's and trusted for nothing."""

    fingerprint: str
    starts_at: datetime
    state: AlertState
    labels: Mapping[str, str]
    annotations: Mapping[str, str]


def first_seen(alert: Alert, report: Report) -> Transition:
    """Return the transition for an alert not seen before."""
    kind = Kind.ALERT_FIRING if alert.state is AlertState.FIRING else Kind.ALERT_RESOLVED
    return Transition(nouns=(alert,), events=(_event(kind, alert, alert.seen_at, report),))


def seen_again(alert: Alert, report: Report, *, now: datetime) -> Transition:
    """Return what a further report changes: a resolution once, a repeat or a late *firing* nothing."""
    if alert.state is AlertState.RESOLVED or report.state is AlertState.FIRING:
        return NOTHING
    resolved = replace(alert, state=AlertState.RESOLVED, revision=alert.revision + 1, resolved_at=now)
    return Transition(nouns=(resolved,), events=(_event(Kind.ALERT_RESOLVED, resolved, now, report),))


def _event(kind: Kind, alert: Alert, at: datetime, report: Report) -> AuditEvent:
    texts = {f"label {key}": value for key, value in report.labels.items()}
    texts |= {f"annotation {key}": value for key, value in report.annotations.items()}
    return AuditEvent(
        kind=kind,
        stream=ALERT_STREAM,
        actor=f"token:{alert.token}",
        at=at,
        data={"alert": facts_of(alert)},
        private=texts,
    )
