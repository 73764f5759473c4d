"""The readable trail under a card: each event once, in order, when its card stands."""

from dataclasses import replace
from datetime import timedelta

import pytest

from approvals.audit.events import PAUSE_STREAM, AuditEvent, EventKind, changed, request_stream
from approvals.facts import facts_of
from approvals.workflow.alert import AlertState, told_of_group
from models.audit.book import record_of
from models.outbox.cards import Cards
from models.outbox.thread_lines import Line, ThreadLines
from tests.builders import ADA, CHANNEL, TEAM, a_pause, an_alert_group
from tests.models.records import REASON, ask, now_of, put, with_grounds

STAGING = f"{TEAM}:C0STAGING"


@pytest.fixture
def lines(store) -> ThreadLines:
    """The lines of the store under test."""
    return ThreadLines(store)


def tell(store, request_id: str, kind: EventKind, **private: str) -> None:
    """Record one event of a request."""
    with store.writing() as uow:
        uow.record(AuditEvent(kind=kind, stream=request_stream(request_id), actor=ADA, at=uow.now, private=private))


def post_cards(store) -> None:
    """Post every card that is behind."""
    cards = Cards(store)
    for number, task in enumerate(cards.behind(limit=10), start=1):
        cards.posted(task, f"{number}.0")


def kinds(found: tuple[Line, ...]) -> list[tuple[str, str]]:
    """Return of each line its subject and the kind of its event."""
    return [(line.subject, record_of(line.body).kind) for line in found]


def test_a_line_waits_for_its_card(store, lines):
    """Before the card stands there is no thread to tell it in; then it comes whole, with the words that stand beside it."""
    with_grounds(store)
    request = ask(store)
    before = (lines.waiting(limit=10), lines.count())
    post_cards(store)

    (line,) = lines.waiting(limit=10)

    assert before == ((), 1)
    assert line == Line(
        stream=request_stream(request.id),
        sequence=1,
        subject=request.id,
        channel=CHANNEL,
        thread_ts="1.0",
        body=line.body,
        texts={"rationale": REASON},
        closed=False,
        informs=False,
        failures=0,
    )
    assert record_of(line.body).kind == EventKind.REQUEST_OPENED


def test_each_channel_is_counted_apart(store, lines):
    """At most as many lines of each channel as asked: a busy one takes no place of another, which has a pace of its own."""
    with_grounds(store)
    first, second = ask(store, 1), ask(store, 2)
    elsewhere = ask(store, 3, channel=STAGING)
    post_cards(store)

    assert [line.subject for line in lines.waiting(limit=1)] == [first.id, elsewhere.id]
    assert [line.subject for line in lines.waiting(limit=2)] == [first.id, second.id, elsewhere.id]


def test_lines_are_told_once_and_in_order(store, lines):
    """Oldest first over all threads, as many as asked; what was told is not told again, housekeeping never."""
    with_grounds(store)
    first, second = ask(store, 1), ask(store, 2)
    tell(store, first.id, EventKind.EXECUTION_CLAIMED)
    tell(store, first.id, EventKind.ANSWER_REFUSED)
    tell(store, second.id, EventKind.REQUEST_VOTED, reason="looks right")
    post_cards(store)

    found = lines.waiting(limit=10)
    few = lines.waiting(limit=1)
    lines.posted(found[0], "1.1")
    left = lines.waiting(limit=10)

    assert kinds(found) == [
        (first.id, "request.opened"),
        (second.id, "request.opened"),
        (first.id, "answer.refused"),
        (second.id, "request.voted"),
    ]
    assert (few, left, lines.count()) == (found[:1], found[1:], 3)
    assert found[3].texts == {"reason": "looks right"}


def test_a_thread_waits_as_a_whole(store, lines):
    """Where one line is refused for now, the lines after it in its thread wait too, and no others."""
    with_grounds(store)
    first, second = ask(store, 1), ask(store, 2)
    tell(store, first.id, EventKind.ANSWER_REFUSED)
    post_cards(store)
    found = lines.waiting(limit=10)

    lines.failed(found[0], permanent=False, wait=timedelta(minutes=1))
    waiting = lines.waiting(limit=10)
    lines.failed(found[0], permanent=False, wait=timedelta(0))
    due = lines.waiting(limit=10)
    lines.posted(found[0], "1.1")

    failed_twice = tuple(replace(line, failures=2) if line.subject == first.id else line for line in found)
    assert (kinds(waiting), due) == ([(second.id, "request.opened")], failed_twice)
    assert lines.waiting(limit=10) == found[1:]


def test_a_line_that_slack_never_takes_is_given_up(store, lines):
    """It is not tried again, and the story goes on after it."""
    with_grounds(store)
    request = ask(store)
    tell(store, request.id, EventKind.ANSWER_REFUSED)
    post_cards(store)
    found = lines.waiting(limit=10)

    lines.failed(found[0], permanent=True)

    assert lines.waiting(limit=10) == found[1:]


def test_what_informs_is_told_last(store, lines):
    """However old it is, the end of an alert waits for what is told of questions."""
    token = with_grounds(store)
    alerts = an_alert_group()
    put(store, alerts)
    over = an_alert_group(AlertState.RESOLVED, revision=2)
    with store.writing() as uow:
        event = told_of_group(over, token=token.id, now=uow.now, counts={})
        uow.save(changed(over, event))
    request = ask(store)
    post_cards(store)

    assert [(line.subject, line.informs) for line in lines.waiting(limit=10)] == [
        (request.id, False),
        (alerts.id, True),
    ]


def test_nothing_is_told_any_more_where_the_card_was_taken_away(store, lines):
    """The lines of a decided question without any copy left wait for nothing: they are not counted as waiting."""
    with_grounds(store)
    first, second = ask(store, 1), ask(store, 2)

    lines.settle(first.id, CHANNEL)
    post_cards(store)

    assert (kinds(lines.waiting(limit=10)), lines.count()) == ([(second.id, "request.opened")], 1)


def test_a_pause_is_told_in_every_channel_it_is_shown_in(store, lines):
    """One event, one line a channel; each is told for itself."""
    pause = a_pause(engaged_at=now_of(store), channels=(CHANNEL, STAGING))
    engaged = AuditEvent(
        kind=EventKind.PAUSE_ENGAGED,
        stream=PAUSE_STREAM,
        actor=ADA,
        at=pause.engaged_at,
        data={"pause": facts_of(pause)},
        private={"reason": "fire"},
    )
    with store.writing() as uow:
        uow.save(changed(pause, engaged))
    post_cards(store)
    both = lines.waiting(limit=10)

    lines.posted(both[0], "1.1")

    assert {(line.channel, line.thread_ts, line.texts["reason"]) for line in both} == {
        (CHANNEL, "1.0", "fire"),
        (STAGING, "2.0", "fire"),
    }
    assert lines.waiting(limit=10) == both[1:]


def test_what_has_no_card_has_no_line(store, lines):
    """A refused request and an event of no pause are on record and in no thread."""
    with store.writing() as uow:
        uow.record(AuditEvent(kind=EventKind.PAUSE_REFUSED, stream=PAUSE_STREAM, actor=ADA, at=uow.now))
    tell(store, "esc_refused", EventKind.REQUEST_REFUSED)

    assert lines.count() == 0
