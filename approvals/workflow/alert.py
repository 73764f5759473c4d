"""Alerts: what monitors say, shown to people and nothing more. An alert is not an escalation: there is nothing to decide.

An alert is told apart by what the sender itself keeps: its environment, its fingerprint, and the start of one time that it burnt.
No token of ours enters, so whichever of two twins, or of two tokens, says that it is over closes the one card. Deliveries come at
least once, may be doubled, and may come late. People see a card for each group, as the sender groups its alerts; a group that has
resolved is not opened again, so that what burns anew rings anew.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from approvals.audit.events import ALERT_STREAM, AuditEvent, EventKind
from approvals.canonical import Value
from approvals.facts import facts_of
from approvals.identity.names import Channel

LATE: Final = timedelta(minutes=10)
"""How long after its end a *firing* of the same start counts as a delivery that came late. Alertmanager tries one for as long as
its ``group_interval``, five minutes by default; what says so after twice that time burns."""

ANOTHER_TIME: Final = timedelta(hours=1)
"""How much later a start has to be to be another time, the end of the one before never having come: monitors lose ends, in a
restart or on the way. The clocks of two twins, or two rounds of their rules, differ by minutes."""

AHEAD: Final = timedelta(days=1)
"""How far ahead of our clock a start may be. What is further is no start: clocks that differ by more tell nothing."""


class AlertState(StrEnum):
    """Where an alert, or a group, stands. Stored; never renamed."""

    FIRING = "firing"
    RESOLVED = "resolved"


class Cut(StrEnum):
    """What of a delivery was not taken as it came. Stored; never renamed."""

    LABELS = "labels"
    """Left out: without a name, without a value, nested, doubled, or beyond the bound."""
    ANNOTATIONS = "annotations"
    """Likewise."""
    TEXTS = "texts"
    """Shortened."""
    CHARACTERS = "characters"
    """Replaced: broken ones, which no store holds."""
    TIMES = "times"
    """Not understood."""
    FIELDS = "fields"
    """Given more than once: the first counts."""
    ALERTS = "alerts"
    """Left out: no alert at all, or beyond the bound of the sender or of ours."""


Cuts = Mapping[str, int]
"""How many of each were cut, by :class:`Cut`; only those that were."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One time that an alert burnt, from its start on."""

    id: str
    token: str
    """The token that first reported it: for the record, and no part of what it is."""
    environment: str
    channel: Channel
    alert_group: str | None
    """The group on whose card it stands; None for a double of before groups, which stands on none."""
    fingerprint: str
    """The sender's own."""
    starts_at: datetime
    """By the sender, the latest that it named; where it named none, when it was first heard of."""
    ended_at: datetime | None
    """By the sender."""
    state: AlertState
    revision: int
    seen_at: datetime
    resolved_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertGroup:
    """Alerts that are shown on one card, from the first that fires until all have resolved."""

    id: str
    environment: str
    channel: Channel
    key: str
    """The hash of what the sender groups by: its words would be a stranger's text."""
    state: AlertState
    revision: int
    firing: int
    """How many of its alerts burn."""
    total: int
    """How many it had in all."""
    cut: Cuts
    """The most that one delivery of it was cut by."""
    opened_at: datetime
    resolved_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertReport:
    """What one delivery says of one alert. The texts are the sender's and trusted for nothing."""

    group: str
    """The hash of what the sender groups it by."""
    fingerprint: str
    starts_at: datetime | None
    """None where it names no instant: the year 1 is how Go says nothing."""
    ends_at: datetime | None
    state: AlertState | None
    """None where the sender says so by the end only."""
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    cut: Cuts = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What a monitor sent at once."""

    reports: tuple[AlertReport, ...]
    cut: Cuts = field(default_factory=dict)
    """What was cut of it as a whole."""


class News(StrEnum):
    """What a report says beyond what is known."""

    NEW = "new"
    """It burns, or burns again; or is first heard of when it is over."""
    LATER = "later"
    """It still burns, with a later start: its twin's clock."""
    ANEW = "anew"
    """It burns, with a start so much later that it is another time: the end of the one before never came."""
    OVER = "over"
    NOTHING = "nothing"


def start_in(report: AlertReport, *, now: datetime) -> datetime | None:
    """Return the start that *report* names, if it can be one."""
    return report.starts_at if report.starts_at is not None and report.starts_at <= now + AHEAD else None


def state_in(report: AlertReport, *, now: datetime) -> AlertState:
    """Return whether it burns by *report*: as it says, or by whether its end has come."""
    if report.state is not None:
        return report.state
    return AlertState.RESOLVED if report.ends_at is not None and report.ends_at <= now else AlertState.FIRING


def news_in(report: AlertReport, known: Alert | None, *, now: datetime) -> News:
    """Return what *report* says that is new, *known* being the last time that this alert burnt."""
    if known is None:
        return News.NEW
    fires, start = state_in(report, now=now) is AlertState.FIRING, start_in(report, now=now)
    if known.state is AlertState.RESOLVED:
        return News.NEW if fires and _burns_again(known, start, now=now) else News.NOTHING
    if not fires:
        return News.OVER if _is_its_end(known, report, start) else News.NOTHING
    if start is None or start <= known.starts_at:
        return News.NOTHING
    return News.ANEW if start - known.starts_at > ANOTHER_TIME else News.LATER


def _is_its_end(known: Alert, report: AlertReport, start: datetime | None) -> bool:
    """Tell whether an end is that of this time: an end of an earlier time may come late.

    Two twins may name starts that differ by seconds, so the end is compared where there is one, and not the starts.
    """
    if start is None:
        return True
    return (start if report.ends_at is None else report.ends_at) >= known.starts_at


def _burns_again(known: Alert, start: datetime | None, *, now: datetime) -> bool:
    """Tell whether a *firing* after the end is another time, and not a late word of the old one. In doubt, it is shown."""
    if start is None or start > (known.ended_at or known.starts_at):
        return True
    return known.resolved_at is not None and now - known.resolved_at > LATE


def next_start(report: AlertReport, known: Alert | None, *, now: datetime) -> datetime:
    """Return the start of a new time: after the last one's, so that the latest start is the latest time."""
    start = start_in(report, now=now) or now
    if known is None or start > known.starts_at:
        return start
    return max(now, known.starts_at + timedelta(microseconds=1))


def resolved(alert: Alert, report: AlertReport, *, now: datetime) -> Alert:
    """Return *alert* as it is once *report* says that it is over."""
    return replace(
        alert,
        state=AlertState.RESOLVED,
        revision=alert.revision + 1,
        resolved_at=now,
        ended_at=report.ends_at,
    )


def started_later(alert: Alert, start: datetime) -> Alert:
    """Return *alert* with the later of two starts."""
    return replace(alert, starts_at=start, revision=alert.revision + 1)


def most_of(cuts: Iterable[Cuts]) -> dict[str, int]:
    """Return the largest number of each kind."""
    merged: dict[str, int] = {}
    for cut in cuts:
        for kind, number in cut.items():
            merged[kind] = max(number, merged.get(kind, 0))
    return dict(sorted(merged.items()))


def sum_of(cuts: Iterable[Cuts]) -> dict[str, int]:
    """Return the sum of each kind."""
    total: dict[str, int] = {}
    for cut in cuts:
        for kind, number in cut.items():
            total[kind] = total.get(kind, 0) + number
    return dict(sorted(total.items()))


def told_of_alert(alert: Alert, report: AlertReport, *, token: str, now: datetime) -> AuditEvent:
    """Return the event of one alert's new state, the monitor's words beside it."""
    texts = {f"label {key}": value for key, value in report.labels.items()}
    texts |= {f"annotation {key}": value for key, value in report.annotations.items()}
    kind = EventKind.ALERT_FIRING if alert.state is AlertState.FIRING else EventKind.ALERT_RESOLVED
    return AuditEvent(
        kind=kind,
        stream=ALERT_STREAM,
        actor=f"token:{token}",
        at=now,
        data={"alert": facts_of(alert)},
        private=texts,
    )


def told_of_group(group: AlertGroup, *, token: str, now: datetime, counts: Mapping[str, Value]) -> AuditEvent:
    """Return the event of one group's new state; *counts* is what the delivery brought and what was cut of it."""
    kind = EventKind.ALERT_GROUP_RESOLVED if group.state is AlertState.RESOLVED else EventKind.ALERT_GROUP_CHANGED
    return AuditEvent(
        kind=kind,
        stream=ALERT_STREAM,
        actor=f"token:{token}",
        at=now,
        data={"group": facts_of(group), "delivery": dict(counts)},
    )
