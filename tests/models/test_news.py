"""Word of a change comes to every process on a PostgreSQL database, after the commit, also after its connections were lost."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event

import pytest

from models.store.news import CommitNews
from tests.models.records import ask, with_grounds
from tests.waiting import wait_until

pytestmark = pytest.mark.postgres


@contextmanager
def listening(url: str) -> Iterator[tuple[CommitNews, Event]]:
    """Give one process's ear, and what is set whenever it hears something."""
    news, heard = CommitNews(url), Event()
    news.start(heard.set)
    try:
        wait_until(lambda: news.hears, what="it listens")
        wait_until(heard.is_set, what="what was told before may have been missed")
        heard.clear()
        yield news, heard
    finally:
        news.stop()


def test_a_commit_is_told_to_every_process(postgres_store, postgres_database):
    """A change is heard by whoever made it and by the others; a look tells nobody."""
    url = postgres_database.restricted_url
    with_grounds(postgres_store)
    with listening(url) as (ours, heard), listening(url) as (_, elsewhere):
        postgres_store.on_change = ours.tell
        ask(postgres_store)

        wait_until(heard.is_set, what="we hear it", within_s=5.0)
        wait_until(elsewhere.is_set, what="the other hears it", within_s=5.0)

        heard.clear()
        with postgres_store.reading() as reading:
            reading.epoch()
        assert not heard.wait(0.3)


def test_what_is_not_kept_is_not_told(postgres_store):
    """Nothing is said of a transaction that changed nothing, nor of one that failed."""
    with_grounds(postgres_store)
    told: list[int] = []
    postgres_store.on_change = lambda: told.append(1)

    with postgres_store.writing() as uow:
        uow.advance_clock()
    with pytest.raises(ZeroDivisionError), postgres_store.writing():
        raise ZeroDivisionError

    assert told == []


def test_a_lost_connection_is_made_again(postgres_database, postgres_server):
    """Meanwhile nothing is heard, and it says so; then everything may have been missed, so it is as if something were told."""
    with listening(postgres_database.restricted_url) as (news, heard):
        postgres_server.cut_off(postgres_database)
        wait_until(heard.is_set, what="it listens again")
        heard.clear()
        news.tell()

        wait_until(heard.is_set, what="it is heard")
