"""The fence: a transaction of what only the holder of a lease may write proves, at its end, that the lease is still held.

A process may stop for any length of time between any two of its steps, and wake up when another one has taken its place. No
look at a clock helps against that. So a transaction under a lease ends with two statements: it takes an advisory lock, shared,
and then reads the lease's row, in a snapshot of its own. Whoever takes the lease over holds that lock exclusively while it
raises the generation. So either the transaction has committed before the new holder begins, or it finds another generation and
commits nothing.

An advisory lock and no lock of the row: a renewal never waits for it, and writers under the same lease do not wait for each
other.
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, bindparam, func, select

from approvals.errors import Unavailable
from models.engine.advisory import advisory_key
from models.engine.columns import NUMBER, TEXT
from models.engine.prepared import Asked, Prepared, together
from models.store.tables import leases

LEADER: Final = "leader"
"""The lease of cards, threads, digests, executions and seals."""

_SHARED: Final = Prepared(select(func.pg_advisory_xact_lock_shared(bindparam("key", type_=NUMBER))))
_STANDS: Final = Prepared(
    select(leases.c.generation).where(
        leases.c.name == bindparam("the_name", type_=TEXT),
        leases.c.holder == bindparam("the_holder", type_=TEXT),
        leases.c.generation == bindparam("the_generation", type_=NUMBER),
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """One holder's turn at what one alone may do."""

    name: str
    holder: str
    """Which process; no two are called the same."""
    generation: int
    """Raised whenever the lease changes hands."""


class LeaseLost(Unavailable):
    """The lease has gone to another holder, or will before anything could be done: nothing was written."""

    code = "lease_lost"

    def __init__(self) -> None:
        """Say so."""
        super().__init__("Another process does this by now.")


def fence_key(name: str) -> int:
    """Return the number of the advisory lock at which writers under the lease *name* and whoever takes it over meet."""
    return advisory_key(f"countersign/lease/{name}")


def questions(lease: Lease) -> tuple[Asked, ...]:
    """Return what a transaction under *lease* asks last; where the last answer has no row, the lease is lost."""
    row = {"the_name": lease.name, "the_holder": lease.holder, "the_generation": lease.generation}
    return (_SHARED, {"key": fence_key(lease.name)}), (_STANDS, row)


def prove(connection: Connection, lease: Lease | None) -> None:
    """Return where the transaction of *connection* may be committed as far as *lease* goes; None asks for none.

    For a transaction that is no unit of work. Nothing of it comes after this but the commit.

    Raises:
        LeaseLost: The lease has gone to another holder; the transaction has to be given up.
    """
    if lease is not None and not together(connection, questions(lease))[-1].rows:
        raise LeaseLost
