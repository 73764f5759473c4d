"""The relay over a real store, with a plain painter and a paced poster: what is held back, and what nobody foresaw."""

from dataclasses import replace
from http.client import IncompleteRead

import pytest

from approvals.audit import DELIVERY_STREAM
from approvals.pause import ask_for_resume, engage
from approvals.request import State
from bot.relay import CARDS_A_STEP, Relay
from models.audit_book import AuditBook
from models.cards import Cards
from models.database import open_database
from models.thread_lines import ThreadLines
from tests.builders import CHANNEL, MINUTE, NOON, TEAM, a_pause
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

    def lines(self, told):
        """Return the kinds of the events."""
        return " ".join(one.kind for one in told)


class PacedPoster:
    """Delivers everything but what its pace holds back."""

    def __init__(self) -> None:
        self.held: set[str] = set()
        """Channels in which nothing may be posted now."""
        self.holds_updates = False
        self.cut: list[Exception] = []
        """What the next calls end in: they arrive, and then the reply is cut off."""
        self.cards: list[tuple[str, str]] = []
        """What was posted that is no reply, each with its channel."""
        self.lines: list[tuple[str, str]] = []
        """What was told in a thread, each with its channel."""
        self.updates: list[str] = []

    def may_post(self, channel):
        """Tell whether the channel is free."""
        return channel not in self.held

    def may_update(self):
        """Tell whether updates are free."""
        return not self.holds_updates

    def post(self, channel, message, *, thread=None):
        """Take it, and return the next timestamp."""
        told = self.cards if thread is None else self.lines
        told.append((channel, message))
        self._cut_off()
        return f"{len(self.cards)}.{len(self.lines)}"

    def update(self, channel, ts, message):
        """Take it."""
        self.updates.append(message)
        self._cut_off()

    def _cut_off(self) -> None:
        if self.cut:
            raise self.cut.pop(0)


class Desk:
    """A relay between a store and a poster."""

    def __init__(self, store, *, painter=None, poster=None) -> None:
        self.poster = poster or PacedPoster()
        self.cards, self.lines = Cards(store), ThreadLines(store)
        self.failures: list[str] = []
        """What was counted as failed."""
        self.relay = Relay(
            store=store,
            cards=self.cards,
            lines=self.lines,
            painter=painter or PlainPainter(),
            poster=self.poster,
            journey=Remembered(),
            failed=self.failures.append,
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

    def __init__(self) -> None:
        self.stumbles_over: set[str] = set()

    def card(self, reading, drawn, occasion):
        if drawn.subject in self.stumbles_over:
            raise ZeroDivisionError
        return super().card(reading, drawn, occasion)

    def lines(self, told):
        if self.stumbles_over & {one.kind for one in told}:
            raise ZeroDivisionError
        return super().lines(told)


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
