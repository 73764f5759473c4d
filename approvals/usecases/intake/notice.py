"""Notice: take down what a monitor reports. It becomes cards that inform, one a group; there is no decision to take."""

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from approvals.audit.events import AuditEvent, Transition
from approvals.canonical import Value
from approvals.errors import Clash, OutOfScope, Unavailable
from approvals.identity.names import Channel
from approvals.identity.tokens import Token
from approvals.ports.ids import NewId
from approvals.ports.policies import Policies
from approvals.ports.store import Store, UnitOfWork
from approvals.workflow.alert import (
    Alert,
    AlertGroup,
    AlertReport,
    AlertState,
    Cuts,
    Delivery,
    News,
    most_of,
    news_in,
    next_start,
    resolved,
    start_in,
    started_later,
    state_in,
    sum_of,
    told_of_alert,
    told_of_group,
)

TRIES: Final = 5
"""How often a delivery is taken up that another one of the same group gets in the way of: twins deliver at the same moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Noticed:
    """How many alerts of a delivery were new, how many changed, how many were repeats, and what was cut of it."""

    new: int
    changed: int
    folded: int
    cut: Cuts = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeDelivery:
    """The verb."""

    store: Store
    policies: Policies
    new_id: NewId

    def __call__(self, delivery: Delivery, token: Token) -> Noticed:
        """Return what a delivery changed, committed before the sender is answered.

        Raises:
            OutOfScope: The policy does not know the token's environment any more.
            Unavailable: Deliveries of the same alerts kept racing; the sender delivers again.
        """
        (environment,) = token.environments
        known = self.policies.current().environments.get(environment)
        if known is None:
            raise OutOfScope("The policy has no such environment any more.", code="unknown_environment")
        for _ in range(TRIES):
            try:
                with self.store.writing() as uow:
                    taking = _Taking(
                        uow=uow,
                        new_id=self.new_id,
                        token=token.id,
                        environment=environment,
                        channel=known.channel,
                        now=uow.now,
                    )
                    return taking.take(delivery)
            except Clash:
                continue  # Another delivery of the same group won; look again.
        raise Unavailable("Deliveries of the same alerts are racing; send it again.")


@dataclass(slots=True, kw_only=True)
class _Taking:
    """One delivery on its way into one transaction: everything is read and judged first, then written in one go."""

    uow: UnitOfWork
    new_id: NewId
    token: str
    environment: str
    channel: Channel
    now: datetime
    known: dict[str, Alert | None] = field(default_factory=dict)
    """By fingerprint, the last time that it burnt, as this delivery leaves it."""
    before: dict[str, AlertGroup | None] = field(default_factory=dict)
    """By id, each group as it lies there; None for one that this delivery opens."""
    groups: dict[str, AlertGroup] = field(default_factory=dict)
    """By id, each group as this delivery leaves it."""
    open: dict[str, str] = field(default_factory=dict)
    """The ids of the groups that this delivery finds or opens, by key."""
    counts: dict[str, Counter[str]] = field(default_factory=dict)
    """By group, how many of its reports were new, changed or folded."""
    cuts: dict[str, list[Cuts]] = field(default_factory=dict)
    alerts: list[Alert] = field(default_factory=list)
    events: list[AuditEvent] = field(default_factory=list)

    def take(self, delivery: Delivery) -> Noticed:
        groups = [self._one(report) for report in delivery.reports]
        if groups:
            self.cuts[groups[0]].append(delivery.cut)
        nouns = self._groups()
        alerts = sorted(self.alerts, key=lambda one: (one.id, one.revision))
        self.uow.save(Transition(noun=nouns, nouns=(*nouns, *alerts), events=tuple(self.events)))
        counted = sum(self.counts.values(), Counter[str]())
        return Noticed(
            new=counted["new"],
            changed=counted["changed"],
            folded=counted["folded"],
            cut=sum_of([delivery.cut, *(report.cut for report in delivery.reports)]),
        )

    def _one(self, report: AlertReport) -> str:
        """Take one report in and return the group on whose card its alert stands."""
        known = self._known(report.fingerprint)
        news = news_in(report, known, now=self.now)
        if known is not None and news is News.ANEW:
            self._end_unheard(known, report)
        if known is None or news in {News.NEW, News.ANEW}:
            group, how = self._new(report, known), "new"
        else:
            group = known.alert_group or self._group(report.group)
            self._hold(group)
            how = self._again(report, known, group, news)
        self.counts[group][how] += 1
        self.cuts[group].append(report.cut)
        return group

    def _known(self, fingerprint: str) -> Alert | None:
        if fingerprint not in self.known:
            self.known[fingerprint] = self.uow.last_alert(self.environment, fingerprint)
        return self.known[fingerprint]

    def _end_unheard(self, known: Alert, report: AlertReport) -> None:
        """End the time whose end never came, and its group where nothing else burns there: what burns anew rings anew."""
        group = known.alert_group or self._group(report.group)
        self._hold(group)
        self._count(group, firing=-1)
        if self.groups[group].firing <= 0:
            self.groups[group] = self._settled(group)
            self.open[self.groups[group].key] = self._opened(self.groups[group].key)
            self._hold(self.open[self.groups[group].key])
        self._note(resolved(known, replace(report, ends_at=None), now=self.now), report)

    def _new(self, report: AlertReport, known: Alert | None) -> str:
        state, group = state_in(report, now=self.now), self._group(report.group)
        alert = Alert(
            id=self.new_id("alert"),
            token=self.token,
            environment=self.environment,
            channel=self.channel,
            alert_group=group,
            fingerprint=report.fingerprint,
            starts_at=next_start(report, known, now=self.now),
            ended_at=report.ends_at if state is AlertState.RESOLVED else None,
            state=state,
            revision=1,
            seen_at=self.now,
            resolved_at=self.now if state is AlertState.RESOLVED else None,
        )
        self._count(group, firing=int(state is AlertState.FIRING), total=1)
        self._note(alert, report)
        return group

    def _again(self, report: AlertReport, known: Alert, group: str, news: News) -> str:
        if news is News.OVER:
            self._count(group, firing=-1)
            self._note(resolved(known, report, now=self.now), report)
            return "changed"
        start = start_in(report, now=self.now)
        if news is News.LATER and start is not None:
            self._note(started_later(known, start), report)
        return "folded"

    def _note(self, alert: Alert, report: AlertReport) -> None:
        self.known[alert.fingerprint] = alert
        self.alerts.append(alert)
        self.events.append(told_of_alert(alert, report, token=self.token, now=self.now))

    def _group(self, key: str) -> str:
        """Return the open group with that key, or a new one."""
        if key not in self.open:
            found = self.uow.open_alert_group(self.environment, key)
            self.open[key] = self._opened(key) if found is None else found.id
        self._hold(self.open[key])
        return self.open[key]

    def _opened(self, key: str) -> str:
        group = AlertGroup(
            id=self.new_id("alert"),
            environment=self.environment,
            channel=self.channel,
            key=key,
            state=AlertState.FIRING,
            revision=0,
            firing=0,
            total=0,
            cut={},
            opened_at=self.now,
        )
        self.before[group.id], self.groups[group.id] = None, group
        return group.id

    def _hold(self, group: str) -> None:
        if group not in self.groups and (found := self.uow.alert_group(group)) is not None:
            self.before[group] = self.groups[group] = found
        self.counts.setdefault(group, Counter())
        self.cuts.setdefault(group, [])

    def _count(self, group: str, *, firing: int, total: int = 0) -> None:
        now = self.groups[group]
        self.groups[group] = replace(now, firing=now.firing + firing, total=now.total + total)

    def _groups(self) -> list[AlertGroup]:
        """Return the groups that change, by id, each at its next revision, and note their events."""
        changed = []
        for name in sorted(self.groups):
            before, group = self.before[name], self._settled(name)
            if group == before:
                continue
            group = replace(group, revision=group.revision + 1)
            changed.append(group)
            counts: dict[str, Value] = {**self.counts[name], "cut": {**sum_of(self.cuts[name])}}
            self.events.append(told_of_group(group, token=self.token, now=self.now, counts=counts))
        return changed

    def _settled(self, name: str) -> AlertGroup:
        """Return the group as it stands by its numbers, with the most that was ever cut. One that has resolved stays so."""
        group = self.groups[name]
        group = replace(group, cut=most_of([group.cut, sum_of(self.cuts[name])]))
        if group.firing > 0 or group.state is AlertState.RESOLVED:
            return group
        return replace(group, state=AlertState.RESOLVED, resolved_at=self.now)
