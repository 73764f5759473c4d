"""The store's instant and its floor."""

from datetime import timedelta

from sqlalchemy import select, update

from models.store.tables import clock_floor
from tests.builders import HOUR, MINUTE
from tests.models.records import now_of


def set_floor(store, at) -> None:
    """Put the floor where a test wants it."""
    with store.writing() as uow:
        uow.connection.execute(update(clock_floor).values(at=at))


def test_the_instant_never_falls_behind_the_floor(store):
    """A clock that has stepped back does not bring back what was over; how far it fell is told, the floor stays (I3)."""
    floor = now_of(store) + HOUR
    set_floor(store, floor)

    with store.writing() as uow:
        step, now = uow.advance_clock(), uow.now

    assert now == floor
    assert HOUR - MINUTE < step <= HOUR
    assert now_of(store) == floor


def test_the_floor_follows_the_clock(store):
    """As a rule nothing has fallen back; what the clock says now, it may not say less than from here on."""
    before = now_of(store)

    with store.writing() as uow:
        step = uow.advance_clock()
        floor = uow.connection.execute(select(clock_floor.c.at)).scalar_one()

    assert step == timedelta(0)
    assert before <= floor <= now_of(store)


def test_a_unit_has_one_instant(store):
    """Everything in one unit is judged at the same instant, taken when it is first asked for."""
    with store.writing() as uow:
        first = uow.now
        uow.epoch()
        assert uow.now == first

    assert now_of(store) >= first
