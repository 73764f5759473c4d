"""The relay over a real store, with a plain painter and a paced poster: what is held back, and what nobody foresaw."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from http.client import IncompleteRead
from pathlib import Path

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from approvals.audit.events import DELIVERY_STREAM
from approvals.errors import Unavailable
from approvals.workflow.pause import ask_for_resume, engage
from approvals.workflow.request import State
from bot.outbox.delivery import Detail, Later, NoSubject, Pace
from bot.outbox.orphans import Orphans
from bot.outbox.relay import CARDS_A_STEP, OTHERS_A_STEP, Relay
from bot.slack.workspace.poster import POSTS_A_SECOND, POSTS_AT_ONCE, UPDATES_A_SECOND, UPDATES_AT_ONCE, Shared
from models.audit.book import AuditBook
from models.engine.database import open_database
from models.outbox.cards import Cards
from models.outbox.thread_lines import ThreadLines
from tests.builders import ADA, CHANNEL, MINUTE, NOON, TEAM, a_pause, a_vote
from tests.fakes.journey import Remembered
from tests.fixtures.stores import a_store
from tests.models.records import ask, now_of, put, with_grounds

STAGING = f"{TEAM}:C0STAGING"


@pytest.fixture
def store(sqlite_url, host_clock):
    """A store whose clock stands at noon until a test moves it: what waits for its next try does so as long as it takes."""
    host_clock.at = NOON
    opened = open_database(sqlite_url)
    yield a_store(opened, host_clock)
    opened.close()


class PlainPainter:
    """Draws a card as one line: its subject, and the occasion."""

    def card(self, reading, drawn, occasion):
        """Return that line."""
        return f"{drawn.subject} {occasion}"

    def lines(self, told, detail):
        """Return the kinds of the events."""
        return " ".join(one.kind for one in told)


class PacedPoster:
    """Delivers everything but what its pace holds back."""

    def __init__(self) -> None:
        self.held: set[str] = set()
        """Channels in which nothing may be posted now."""
        self.holds_updates = False
        self.meanwhile: Callable[[], object] = lambda: None
        """What happens elsewhere while a call is on its way."""
        self.cut: list[Exception] = []
        """What the next calls end in: they arrive, and then the reply is cut off."""
        self.cards: list[tuple[str, str]] = []
        """What was posted that is no reply, each with its channel."""
        self.lines: list[tuple[str, str]] = []
        """What was told in a thread, each with its channel."""
        self.updates: list[str] = []

    def may_post(self, channel, pace=Pace.DECISION):
        """Tell whether the channel is free."""
        return channel not in self.held

    def may_update(self, pace=Pace.DECISION):
        """Tell whether updates are free."""
        return not self.holds_updates

    def post(self, channel, message, *, thread=None, pace=Pace.DECISION):
        """Take it, and return the next timestamp."""
        told = self.cards if thread is None else self.lines
        told.append((channel, message))
        self._cut_off()
        return f"{len(self.cards)}.{len(self.lines)}"

    def update(self, channel, ts, message, *, pace=Pace.DECISION):
        """Take it."""
        self.updates.append(message)
        self._cut_off()

    def _cut_off(self) -> None:
        self.meanwhile()
        if self.cut:
            raise self.cut.pop(0)


class Desk:
    """A relay between a store and a poster."""

    def __init__(self, store, *, painter=None, poster=None, lease=None) -> None:
        self.poster = poster or PacedPoster()
        self.cards = Cards(store)
        if lease is not None:
            store = store.under(lease)
        led = Cards(store)
        self.lines = ThreadLines(store)
        self.failures: list[str] = []
        """What was counted as failed."""
        self.relay = Relay(
            store=store,
            cards=led,
            lines=self.lines,
            painter=painter or PlainPainter(),
            poster=self.poster,
            journey=Remembered(),
            failed=self.failures.append,
            hand_over=Orphans(self.cards).hand_over,
        )

    def fate(self, store):
        """Return what the trail says of the cards: kind, subject, and the reason of a failure."""
        story = AuditBook(store.database).story(DELIVERY_STREAM)
        return [(one.record.kind, one.record.data["subject"], one.record.data.get("reason")) for one in story]


def stop(store, *channels):
    """Engage a pause whose notice belongs in *channels*, and return its id."""
    pause = a_pause(engaged_at=now_of(store), channels=channels)
    with store.writing() as uow:
        uow.save(engage(pause, reason=""))
    return pause.id


def decide(store, request):
    """Give *request* its outcome, so that the buttons of its card must go."""
    put(store, replace(request, state=State.DENIED, revision=2, decided_at=now_of(store)))


def test_updates_that_are_held_back_hold_back_no_post(store):
    """More cards wait for their redraw than a step looks at: a pause notice and a new card are posted all the same."""
    with_grounds(store)
    desk = Desk(store)
    old = [ask(store, number) for number in range(1, CARDS_A_STEP + 6)]
    while desk.cards.backlog().behind:
        desk.relay.step()
    for request in old:
        decide(store, request)
    desk.poster.holds_updates = True
    desk.poster.cards.clear()
    new = ask(store, CARDS_A_STEP + 6)
    pause = stop(store, CHANNEL)

    desk.relay.step()

    assert desk.poster.cards == [(CHANNEL, f"{pause} first"), (CHANNEL, f"{new.id} first")]
    assert desk.poster.updates == []


def test_a_channel_that_is_held_back_holds_back_no_other(store):
    """More cards wait in one channel than a step looks at: those of another are posted all the same."""
    with_grounds(store)
    desk = Desk(store)
    for number in range(1, CARDS_A_STEP + 6):
        ask(store, number)
    elsewhere = ask(store, CARDS_A_STEP + 6, channel=STAGING)
    desk.poster.held.add(CHANNEL)

    desk.relay.step()

    assert desk.poster.cards == [(STAGING, f"{elsewhere.id} first")]


class _CountingPainter(PlainPainter):
    """Counts what it draws."""

    drawn = 0

    def card(self, reading, drawn, occasion):
        self.drawn += 1
        return super().card(reading, drawn, occasion)


@pytest.mark.parametrize("posted", [True, False], ids=["updates", "posts"])
def test_what_is_held_back_is_not_drawn_either(store, posted):
    """A tick that may deliver nothing does not read the rows of everything that waits."""
    with_grounds(store)
    painter = _CountingPainter()
    desk = Desk(store, painter=painter)
    request = ask(store)
    if posted:
        desk.relay.step()
        decide(store, request)
    painter.drawn = 0
    desk.poster.held.add(CHANNEL)
    desk.poster.holds_updates = True

    delivered = desk.relay.step()

    assert (delivered, painter.drawn) == (0, 0)


CUT = IncompleteRead(b"")
"""An end of a call that no door of ours translates."""


def test_a_post_that_ends_in_something_unforeseen_is_not_made_at_each_tick(store, host_clock):
    """It is in doubt as any other whose reply was lost: the others go on, and after its wait a replacement says what it is."""
    with_grounds(store)
    desk = Desk(store)
    first, second = ask(store, 1), ask(store, 2)
    desk.poster.cut.append(CUT)

    for _ in range(3):
        desk.relay.step()
    at_once = list(desk.poster.cards)
    host_clock.at += MINUTE
    desk.relay.step()

    assert at_once == [(CHANNEL, f"{first.id} first"), (CHANNEL, f"{second.id} first")]
    assert desk.poster.cards[2:] == [(CHANNEL, f"{first.id} replacement")]
    assert desk.failures == ["relay"]
    assert desk.fate(store) == [
        ("card.posting", first.id, None),
        ("card.failed", first.id, "unforeseen"),
        ("card.posting", second.id, None),
        ("card.posted", second.id, None),
        ("card.posting", first.id, None),
        ("card.posted", first.id, None),
    ]


class _Thief(PlainPainter):
    """Takes the database away while a card, or what its thread is told, is drawn."""

    def __init__(self, file, *, takes):
        self.file, self.takes = file, takes

    def card(self, reading, drawn, occasion):
        self._take("card")
        return super().card(reading, drawn, occasion)

    def lines(self, told, detail):
        self._take("lines")
        return super().lines(told, detail)

    def _take(self, what):
        if what == self.takes:
            self.file.rename(self.file.with_suffix(".away"))


@pytest.mark.parametrize("takes", ["card", "lines"])
def test_a_store_that_is_away_is_said_once_and_not_by_each_card_with_a_traceback(store, sqlite_url, takes):
    """The tick says why, once; three tracebacks a second for as long as a disk is full would hide that, and fill it more."""
    with_grounds(store)
    file = Path(sqlite_url.removeprefix("sqlite:///"))
    desk = Desk(store, painter=_Thief(file, takes=takes))
    ask(store)

    with capture_logs() as logged, pytest.raises(Unavailable) as refused:
        _step_twice(desk)

    assert (refused.value.cause_code, logged) == ("file_gone", [])


def _step_twice(desk):
    """The first shows the card, and the second has its thread to tell."""
    desk.relay.step()
    desk.relay.step()


def test_an_update_that_ends_in_something_unforeseen_holds_up_no_other(store, host_clock):
    """The other cards are drawn again in the same step, and this one after its wait."""
    with_grounds(store)
    desk = Desk(store)
    first, second = ask(store, 1), ask(store, 2)
    desk.relay.step()
    decide(store, first)
    decide(store, second)
    desk.poster.cut.append(CUT)

    delivered = [desk.relay.step() for _ in range(2)]
    at_once = list(desk.poster.updates)
    host_clock.at += MINUTE
    desk.relay.step()

    assert delivered == [1, 0]
    assert at_once == [f"{first.id} update", f"{second.id} update"]
    assert desk.poster.updates[2:] == [f"{first.id} update"]
    assert desk.failures == ["relay"]


class _Clumsy(PlainPainter):
    """A painter with a fault: what it is told to stumble over raises what nobody foresaw."""

    def __init__(self, fault: Exception | None = None) -> None:
        self.stumbles_over: set[str] = set()
        self.spares_lines = False
        self.details: list[Detail] = []
        """In how much detail cards were to be drawn."""
        self._fault = fault or ZeroDivisionError()

    def card(self, reading, drawn, occasion):
        self.details.append(drawn.detail)
        if drawn.subject in self.stumbles_over and not (self.spares_lines and drawn.detail is Detail.LINE):
            raise self._fault
        return super().card(reading, drawn, occasion)

    def lines(self, told, detail):
        if self.stumbles_over & {one.kind for one in told}:
            raise ZeroDivisionError
        return super().lines(told, detail)


def test_a_card_that_nobody_can_draw_holds_up_no_other(store):
    """A fault of ours costs the one card that meets it."""
    with_grounds(store)
    painter = _Clumsy()
    desk = Desk(store, painter=painter)
    first, second = ask(store, 1), ask(store, 2)
    painter.stumbles_over.add(first.id)

    for _ in range(2):
        desk.relay.step()

    assert desk.poster.cards == [(CHANNEL, f"{second.id} first")]
    assert desk.fate(store)[0] == ("card.failed", first.id, "unforeseen")


@pytest.mark.parametrize(
    "bad", ["shown_at = 9000000000000000000", "due_at = 9000000000000000000", "made_at = 9000000000000000000"]
)
def test_a_card_whose_row_cannot_be_read_holds_up_no_other(store, bad):
    """An instant that there is not: the others are shown, and it is told once."""
    with_grounds(store)
    desk = Desk(store)
    first, second = ask(store, 1), ask(store, 2)
    with store.database.writing() as connection:
        connection.execute(text(f"UPDATE cards SET {bad} WHERE subject = :subject"), {"subject": first.id})

    with capture_logs() as logs:
        for _ in range(3):
            desk.relay.step()

    assert desk.poster.cards == [(CHANNEL, f"{second.id} first")]
    assert [(one["event"], one["subject"]) for one in logs] == [("card.unreadable", first.id)]


def test_a_card_that_nobody_can_draw_is_told_in_a_line(store, host_clock):
    """A fault of ours that stays is no reason to leave a question unseen: after three tries people are told in one line."""
    with_grounds(store)
    painter = _Clumsy()
    desk = Desk(store, painter=painter)
    request = ask(store)
    painter.stumbles_over.add(request.id)
    painter.spares_lines = True

    for _ in range(8):
        desk.relay.step()
        host_clock.at += timedelta(seconds=1)

    assert desk.poster.cards == [(CHANNEL, f"{request.id} first")]
    assert painter.details[-1] is Detail.LINE
    assert desk.failures == ["relay"] * 3
    assert desk.cards.backlog().behind == 0


def test_a_store_that_cannot_be_read_makes_no_card_plainer(store, host_clock):
    """What passes by itself is waited out: the card comes whole."""
    with_grounds(store)
    painter = _Clumsy(Unavailable("The store is locked."))
    desk = Desk(store, painter=painter)
    request = ask(store)
    painter.stumbles_over.add(request.id)
    for _ in range(10):
        desk.relay.step()
        host_clock.at += timedelta(seconds=1)
    painter.stumbles_over.clear()
    host_clock.at += MINUTE

    desk.relay.step()

    assert desk.poster.cards == [(CHANNEL, f"{request.id} first")]
    assert painter.details[-1] is Detail.FULL


def test_a_slip_in_the_painter_is_not_taken_for_a_missing_subject(store, host_clock):
    """A KeyError of ours is a fault like any other: the card is tried again and not given up for good."""
    with_grounds(store)
    painter = _Clumsy(KeyError("a slip"))
    desk = Desk(store, painter=painter)
    request = ask(store)
    painter.stumbles_over.add(request.id)
    desk.relay.step()
    painter.stumbles_over.clear()
    host_clock.at += MINUTE

    desk.relay.step()

    assert desk.poster.cards == [(CHANNEL, f"{request.id} first")]


def test_a_card_without_a_subject_is_given_up(store, host_clock):
    """There is nothing to draw, whatever time passes: it is written down once and takes nobody's place."""
    with_grounds(store)
    painter = _Clumsy(NoSubject("nothing"))
    desk = Desk(store, painter=painter)
    request = ask(store)
    painter.stumbles_over.add(request.id)

    for _ in range(3):
        desk.relay.step()
        host_clock.at += 10 * MINUTE

    assert desk.fate(store) == [("card.failed", request.id, "no_such_subject")]


def test_a_step_looks_again_after_a_few_calls_that_nobody_waits_for(store):
    """However much is to be redrawn, a question that comes in meanwhile waits for a handful of calls at most."""
    with_grounds(store)
    desk = Desk(store)
    old = [ask(store, number) for number in range(1, 13)]
    while desk.cards.backlog().behind:
        desk.relay.step()
    for request in old:
        put(store, a_vote(ADA, id=f"vote_{request.id}", escalation=request.id, at=now_of(store)))

    desk.relay.step()

    assert len(desk.poster.updates) == OTHERS_A_STEP


class SharedPoster(PacedPoster):
    """Delivers at the pace of one workspace; *refuses* names channels and messages that are refused for now."""

    def __init__(self, clock, *refuses: str) -> None:
        super().__init__()
        self._clock = clock
        self.refuses = set(refuses)
        self._channels: dict[str, Shared] = {}
        self._updates = Shared(per_second=UPDATES_A_SECOND, at_once=UPDATES_AT_ONCE, now=self._now())
        self.at: dict[str, float] = {}
        """When each message was delivered."""

    def _now(self):
        return (self._clock.at - NOON).total_seconds()

    def _of(self, channel):
        shared = Shared(per_second=POSTS_A_SECOND, at_once=POSTS_AT_ONCE, now=self._now())
        return self._channels.setdefault(channel, shared)

    def may_post(self, channel, pace=Pace.DECISION):
        """Tell whether the pace allows it."""
        return self._of(channel).has_one(pace, self._now())

    def may_update(self, pace=Pace.DECISION):
        """Tell whether the pace allows it."""
        return self._updates.has_one(pace, self._now())

    def post(self, channel, message, *, thread=None, pace=Pace.DECISION):
        """Take it, unless the channel refuses."""
        self._of(channel).take(pace, self._now())
        self._check(channel, message)
        return super().post(channel, message, thread=thread, pace=pace)

    def update(self, channel, ts, message, *, pace=Pace.DECISION):
        """Take it, unless the channel refuses."""
        self._updates.take(pace, self._now())
        self._check(channel, message)
        super().update(channel, ts, message, pace=pace)

    def _check(self, channel, message):
        if {channel, message} & self.refuses:
            raise Later("is_archived")
        self.at.setdefault(message, self._now())


@pytest.mark.slow
def test_what_fails_in_one_channel_slows_no_other(store, host_clock):
    """Sixty decided cards of an archived channel fail again and again: another channel's buttons go within seconds."""
    with_grounds(store)
    desk = Desk(store)
    archived = [ask(store, number, channel=STAGING) for number in range(1, 61)]
    lively = [ask(store, number) for number in range(61, 71)]
    while desk.cards.backlog().behind:
        desk.relay.step()
    poster = SharedPoster(host_clock, STAGING)
    desk = Desk(store, poster=poster)
    for request in archived:
        decide(store, request)
    took = []
    for request in lively:
        for _ in range(30):
            desk.relay.step()
            host_clock.at += timedelta(seconds=1)
        decided = (host_clock.at - NOON).total_seconds()
        decide(store, request)
        for _ in range(10):
            desk.relay.step()
            host_clock.at += timedelta(seconds=1)
        took.append(poster.at.get(f"{request.id} update", decided + 999) - decided)

    assert max(took) <= 4


def test_questions_that_fail_slow_no_others(store, host_clock):
    """Twenty questions of one agent whose posts are refused: another's new question stands within seconds all the same."""
    with_grounds(store)
    poster = SharedPoster(host_clock)
    desk = Desk(store, poster=poster)
    bad = {ask(store, number, agent="bad").id for number in range(1, 21)}
    poster.refuses |= {f"{one} first" for one in bad}
    took = []
    for number in range(21, 41):
        for _ in range(5):
            desk.relay.step()
            host_clock.at += timedelta(seconds=1)
        asked = (host_clock.at - NOON).total_seconds()
        request = ask(store, number)
        for _ in range(5):
            desk.relay.step()
            host_clock.at += timedelta(seconds=1)
        took.append(poster.at.get(f"{request.id} first", asked + 999) - asked)

    assert max(took) <= 3


def test_a_thread_that_ends_in_something_unforeseen_holds_up_no_other(store, host_clock):
    """The other threads are told in the same step, and this one after its wait: told twice is better than never."""
    desk = Desk(store)
    stop(store, CHANNEL, STAGING)
    desk.poster.held |= {CHANNEL, STAGING}
    desk.relay.step()
    desk.poster.held.clear()
    for task in desk.cards.behind(limit=1):
        desk.cards.posted(task, f"1.{task.channel[-1]}")
    desk.poster.cut.append(CUT)

    delivered = [desk.relay.step() for _ in range(2)]
    at_once = list(desk.poster.lines)
    host_clock.at += MINUTE
    desk.relay.step()

    assert delivered == [1, 0]
    assert at_once == [(CHANNEL, "pause.engaged"), (STAGING, "pause.engaged")]
    assert desk.poster.lines[2:] == [(CHANNEL, "pause.engaged")]
    assert desk.lines.count() == 0
    assert desk.failures == ["relay"]


def test_a_line_that_nobody_can_draw_is_given_up_and_the_rest_is_told(store):
    """Drawing reads nothing, so it comes out the same each time: the trail keeps the event, the thread goes on without it."""
    painter = _Clumsy()
    desk = Desk(store, painter=painter)
    pause = stop(store, CHANNEL)
    with store.writing() as uow:
        uow.save(ask_for_resume(uow.lock_pause(pause), now=uow.now))
    painter.stumbles_over.add("pause.engaged")

    while desk.lines.count():
        desk.relay.step()

    assert desk.poster.lines == [(CHANNEL, "pause.resume_asked")]
    assert set(desk.failures) == {"relay"}
