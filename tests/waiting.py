"""Waiting for something that another thread, process or server does: polling with a deadline, never a fixed sleep."""

import time
from collections.abc import Callable

from sqlalchemy import text

from models.store.store import SqlStore


def wait_until(condition: Callable[[], object], *, what: str, within_s: float = 30.0, every_s: float = 0.02) -> None:
    """Return once *condition* gives something true.

    Args:
        condition: Asked again and again; what it raises goes to the caller.
        what: What is waited for, as a half sentence for the failure: "the card shows Approved".
        within_s: Seconds until it is given up; a loaded machine is slow, not wrong.
        every_s: Seconds between two questions.

    Raises:
        AssertionError: It did not become true in time.
    """
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() >= deadline:
            raise AssertionError(f"Waited {within_s:g} s in vain: {what}")
        time.sleep(every_s)


def wait_for_waiter(store: SqlStore, *, waiters: int = 1) -> None:
    """Return once that many connections to the store's database, PostgreSQL's, wait for a lock."""
    asked = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )

    def enough() -> bool:
        with store.database.reading() as connection:
            return int(connection.execute(asked).scalar_one()) >= waiters

    wait_until(enough, what=f"{waiters} wait for a lock")
