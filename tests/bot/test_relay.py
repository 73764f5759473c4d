"""The relay over a real store, with a plain painter and a paced poster: what is held back, and what nobody foresaw."""

from dataclasses import replace

import pytest

from approvals.pause import engage
from approvals.request import State
from bot.relay import CARDS_A_STEP, Relay
from models.cards import Cards
from models.thread_lines import ThreadLines
from tests.builders import CHANNEL, TEAM, a_pause
from tests.fakes.journey import Remembered
from tests.models.records import ask, now_of, put, with_grounds

STAGING = f"{TEAM}:C0STAGING"


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
        self.cards: list[tuple[str, str]] = []
        """What was posted that is no reply, each with its channel."""
        self.updates: list[str] = []

    def may_post(self, channel):
        """Tell whether the channel is free."""
        return channel not in self.held

    def may_update(self):
        """Tell whether updates are free."""
        return not self.holds_updates

    def post(self, channel, message, *, thread=None):
        """Take it, and return the next timestamp."""
        if thread is None:
            self.cards.append((channel, message))
        return f"{len(self.cards)}.1"

    def update(self, channel, ts, message):
        """Take it."""
        self.updates.append(message)


class Desk:
    """A relay between a store and a poster."""

    def __init__(self, store, *, painter=None, poster=None) -> None:
        self.poster = poster or PacedPoster()
        self.cards, self.lines = Cards(store), ThreadLines(store)
        self.relay = Relay(
            store=store,
            cards=self.cards,
            lines=self.lines,
            painter=painter or PlainPainter(),
            poster=self.poster,
            journey=Remembered(),
        )


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
