"""Leases in a test's hands: several holders of one lease, and its end by decree."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import psycopg
from sqlalchemy import make_url

from approvals.errors import Clash
from models.store.fence import Lease
from models.store.leases import LEASE_SECONDS, Leases, leases_of
from tests.fixtures.postgres import PostgresDatabase
from tests.waiting import wait_until


def owner_of(database: PostgresDatabase) -> psycopg.Connection:
    """Return a connection of the tables' owner, who may do what no process of ours may."""
    at = make_url(database.owner_url)
    return psycopg.connect(host=at.host, port=at.port, user=at.username, dbname=at.database, autocommit=True)


def lapse(database: PostgresDatabase) -> None:
    """Let every lease have lapsed long ago."""
    with owner_of(database) as connection:
        connection.execute("UPDATE leases SET held_until = 1")


@contextmanager
def several(url: str, *holders: str, seconds: float = LEASE_SECONDS) -> Iterator[list[Leases]]:
    """Give the lease as each of *holders* asks for it."""
    with ExitStack() as open_ones:
        yield [open_ones.enter_context(leases_of(url, holder=holder, seconds=seconds)) for holder in holders]


def taken_by(one: Leases) -> Lease:
    """Return the lease once it is to be had, whatever keeps it from that at first."""
    found: list[Lease | None] = []

    def take() -> bool:
        try:
            found.append(one.take())
        except Clash:
            return False
        return found[-1] is not None

    wait_until(take, what="the lease is to be had")
    taken = found[-1]
    assert taken is not None
    return taken
