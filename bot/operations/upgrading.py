"""Upgrading: what ``countersign db upgrade`` does, from the tables of the release before to a database that this one can serve.

While a release before this one is in the tables, it is done alone: a service that went on writing would write what this one
cannot read. Run again, it finishes what was cut off, and changes nothing else.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager

from approvals.errors import Clash, Refused
from approvals.usecases.operation.upgrade import Ended, EndOtherwise
from approvals.verbs.workload import counted
from bot import clock
from models.engine.database import address, open_database
from models.schema import migrate
from models.schema.revision import REVISION
from models.store.store import SqlStore
from models.store.worker_lock import unserved


def upgrade(owner: str, restricted: str) -> str:
    """Bring the database up to date and return what was done, in sentences.

    Args:
        owner: Its address, as the owner of the tables.
        restricted: The same as whom everything else runs as; may be the owner.

    Raises:
        ValueError: The owner's address is of neither a SQLite file nor PostgreSQL.
        Refused: A service works on it, or a write of the release before is on its way or its outcome is not known.
        Unavailable: It cannot be reached.
    """
    with _alone(owner):
        migrate.upgrade(owner, restricted_role=address(restricted).username if owner != restricted else None)
        with closing(open_database(owner)) as database:
            store = SqlStore(database, host_clock=clock.utc_now, new_salt=clock.new_salt)
            ended = EndOtherwise(store=store)()
    return f"The database is at schema {REVISION}.{_told(ended)}"


@contextmanager
def _alone(owner: str) -> Iterator[None]:
    if not migrate.is_behind(owner):
        yield
        return
    try:
        with unserved(owner):
            yield
    except Clash as error:
        if error.code != "already_serving":
            raise
        raise Refused(
            "A countersign serve works on this database. Stop it, run countersign db upgrade again, and start the new version.",
            code="already_serving",
        ) from error


def _told(ended: Ended) -> str:
    told = ""
    if ended.ended:
        told += (
            f" {counted(ended.ended, 'request')} of the release before ended, open or approved and not started,"
            " with the code upgraded; the next serve takes the buttons off their cards."
        )
    if ended.left:
        told += f" These cannot be read, and can be neither approved nor carried out: {', '.join(ended.left)}."
    return told
