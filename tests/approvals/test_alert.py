"""Alerts: what a report says beyond what is known, whoever sends it, doubled, late or without a start (I14, T-RACE-08)."""

from datetime import timedelta

import pytest

from approvals.audit.events import AuditEvent, EventKind
from approvals.facts import facts_of
from approvals.workflow.alert import (
    AHEAD,
    ANOTHER_TIME,
    LATE,
    AlertState,
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
from tests.builders import HOUR, MINUTE, NOON, a_report, an_alert, an_alert_group

TICK = timedelta(microseconds=1)
STARTED = NOON - HOUR
ENDED = NOON - 30 * MINUTE
FIRING = AlertState.FIRING
RESOLVED = AlertState.RESOLVED
BURNS = an_alert()
OVER = an_alert(RESOLVED, ended_at=ENDED, resolved_at=NOON)
OVER_WITHOUT_END = an_alert(RESOLVED, resolved_at=NOON)

NEWS = {
    "first": (None, a_report(), News.NEW),
    "first heard of at its end": (None, a_report(RESOLVED), News.NEW),
    "a repeat": (BURNS, a_report(), News.NOTHING),
    "a repeat without a start": (BURNS, a_report(starts_at=None), News.NOTHING),
    "its twin's clock": (BURNS, a_report(starts_at=STARTED - TICK), News.NOTHING),
    "a start an hour later": (BURNS, a_report(starts_at=STARTED + ANOTHER_TIME), News.LATER),
    "a start more than an hour later": (BURNS, a_report(starts_at=STARTED + ANOTHER_TIME + TICK), News.ANEW),
    "a later start": (BURNS, a_report(starts_at=STARTED + TICK), News.LATER),
    "over": (BURNS, a_report(RESOLVED, ends_at=NOON), News.OVER),
    "over by a twin that saw it start later": (
        BURNS,
        a_report(RESOLVED, starts_at=STARTED + MINUTE, ends_at=NOON),
        News.OVER,
    ),
    "over by a twin that saw it start earlier": (
        BURNS,
        a_report(RESOLVED, starts_at=STARTED - MINUTE, ends_at=STARTED),
        News.OVER,
    ),
    "a late end of an earlier time": (
        BURNS,
        a_report(RESOLVED, starts_at=STARTED - HOUR, ends_at=STARTED - TICK),
        News.NOTHING,
    ),
    "over without an end": (BURNS, a_report(RESOLVED), News.OVER),
    "an earlier time over without an end": (BURNS, a_report(RESOLVED, starts_at=STARTED - TICK), News.NOTHING),
    "over without a start": (BURNS, a_report(RESOLVED, starts_at=None, ends_at=STARTED - HOUR), News.OVER),
    "over again": (OVER, a_report(RESOLVED, ends_at=NOON), News.NOTHING),
    "a late firing": (OVER, a_report(), News.NOTHING),
    "a late firing of a twin": (OVER, a_report(starts_at=ENDED), News.NOTHING),
    "burns again": (OVER, a_report(starts_at=ENDED + TICK), News.NEW),
    "burns again after an unknown end": (OVER_WITHOUT_END, a_report(starts_at=STARTED + TICK), News.NEW),
    "a late firing after an unknown end": (OVER_WITHOUT_END, a_report(), News.NOTHING),
    "burns again without a start": (OVER, a_report(starts_at=None), News.NEW),
}


@pytest.mark.parametrize(("known", "report", "news"), NEWS.values(), ids=NEWS.keys())
def test_what_a_report_says_that_is_new(known, report, news):
    """By what the sender keeps: fingerprint, start and end. What comes late changes nothing; in doubt, an alarm is shown."""
    assert news_in(report, known, now=NOON) is news


@pytest.mark.parametrize(("after", "news"), [(LATE, News.NOTHING), (LATE + TICK, News.NEW)])
def test_a_firing_of_the_old_start_is_late_for_ten_minutes_only(after, news):
    """Alertmanager may take an alert up again under its old start: what says so long after the end burns."""
    assert news_in(a_report(), OVER, now=NOON + after) is news


def test_an_end_that_nobody_dated_is_never_too_old():
    """A row whose resolution has no instant folds what is late, and breaks nothing."""
    assert news_in(a_report(), an_alert(RESOLVED, resolved_at=None), now=NOON + HOUR) is News.NOTHING


@pytest.mark.parametrize(
    ("report", "state"),
    [
        (a_report(RESOLVED), RESOLVED),
        (a_report(FIRING, ends_at=NOON), FIRING),
        (a_report(None, ends_at=NOON), RESOLVED),
        (a_report(None, ends_at=NOON + TICK), FIRING),
        (a_report(None), FIRING),
    ],
    ids=["says so", "says otherwise than its end", "ended", "will end", "says nothing"],
)
def test_whether_it_burns(report, state):
    """By its own word; without one, by whether its end has come, as in what goes to Alertmanager itself."""
    assert state_in(report, now=NOON) is state


@pytest.mark.parametrize(
    ("starts_at", "start"),
    [(None, None), (STARTED, STARTED), (NOON + AHEAD, NOON + AHEAD), (NOON + AHEAD + TICK, None)],
    ids=["none", "one", "a day ahead", "more than a day ahead"],
)
def test_a_start_is_one_if_it_can_be(starts_at, start):
    """A clock that is wrong by more than a day tells nothing."""
    assert start_in(a_report(starts_at=starts_at), now=NOON) == start


@pytest.mark.parametrize(
    ("report", "known", "start"),
    [
        (a_report(), None, STARTED),
        (a_report(starts_at=None), None, NOON),
        (a_report(starts_at=STARTED + TICK), OVER, STARTED + TICK),
        (a_report(), OVER, NOON),
        (a_report(), an_alert(RESOLVED, starts_at=NOON), NOON + TICK),
    ],
    ids=["its own", "none", "later", "the old one again", "ahead of our clock"],
)
def test_each_time_starts_after_the_one_before(report, known, start):
    """So the latest start is the latest time, whatever the sender says."""
    assert next_start(report, known, now=NOON) == start


def test_how_an_alert_moves_on():
    """Each at the next revision; the end is the sender's, the resolution ours."""
    assert resolved(BURNS, a_report(RESOLVED, ends_at=ENDED), now=NOON) == an_alert(
        RESOLVED, revision=2, ended_at=ENDED, resolved_at=NOON
    )
    assert started_later(BURNS, NOON) == an_alert(revision=2, starts_at=NOON)


def test_cuts_are_added_up_and_the_most_is_kept():
    """A delivery's cuts are a sum; a card shows the most that one delivery was cut by, so that twins do not make it flicker."""
    cuts = [{"labels": 2}, {"labels": 1, "alerts": 4}, {}]

    assert (sum_of(cuts), most_of(cuts)) == ({"alerts": 4, "labels": 3}, {"alerts": 4, "labels": 2})


@pytest.mark.parametrize(("state", "kind"), [(FIRING, EventKind.ALERT_FIRING), (RESOLVED, EventKind.ALERT_RESOLVED)])
def test_an_alert_is_told_as_what_it_is(state, kind):
    """The monitor's words stand beside the chain, under names of their own."""
    alert = an_alert(state)

    assert told_of_alert(alert, a_report(), token="tok_b", now=NOON) == AuditEvent(
        kind=kind,
        stream="alert",
        actor="token:tok_b",
        at=NOON,
        data={"alert": facts_of(alert)},
        private={"label alertname": "HighLatency", "annotation summary": "<!channel> slow"},
    )


@pytest.mark.parametrize(
    ("state", "kind"), [(FIRING, EventKind.ALERT_GROUP_CHANGED), (RESOLVED, EventKind.ALERT_GROUP_RESOLVED)]
)
def test_a_group_is_told_with_what_the_delivery_brought(state, kind):
    """The counts of what was cut are on record."""
    group = an_alert_group(state)

    assert told_of_group(group, token="tok_b", now=NOON, counts={"new": 1, "cut": {"labels": 1}}) == AuditEvent(
        kind=kind,
        stream="alert",
        actor="token:tok_b",
        at=NOON,
        data={"group": facts_of(group), "delivery": {"new": 1, "cut": {"labels": 1}}},
    )
