"""News: tells every process on a PostgreSQL database that something has changed, so that callers who wait are answered at once.

Told after the commit and over a connection of its own: a notification inside a transaction makes commits wait for each other.
However much changes within a moment is one notification. It carries nothing: whoever hears it looks at the rows. One that is
lost, as with its connection, costs a waiting caller the time until the next look.
"""

from collections.abc import Callable
from threading import Event, Thread
from typing import Any, Final

import structlog
from sqlalchemy import NullPool, create_engine

from models.engine.database import address, postgresql_arguments

log = structlog.get_logger(__name__)

CHANNEL: Final = "countersign_changed"

TURN_SECONDS: Final = 0.05
"""How long it is listened before it is looked whether there is something to tell: the most that telling takes."""

AGAIN_SECONDS: Final = 1.0
"""How long after a lost connection another one is made."""


class CommitNews:
    """One process's ear and voice. Any thread may tell."""

    def __init__(self, url: str) -> None:
        """Keep where; nothing is connected yet."""
        self._engine = create_engine(
            address(url),
            connect_args=postgresql_arguments(),
            poolclass=NullPool,
            isolation_level="AUTOCOMMIT",
            hide_parameters=True,
        )
        self._something = Event()
        self._stopping = Event()
        self._hears = Event()
        self._thread: Thread | None = None

    @property
    def hears(self) -> bool:
        """Whether what others tell is heard at this moment, as far as can be told."""
        return self._hears.is_set()

    def tell(self) -> None:
        """Have every process hear, this one too, that something has changed; it returns at once."""
        self._something.set()

    def start(self, heard: Callable[[], object]) -> None:
        """Begin to listen; *heard* is called in a thread of its own whenever something may have changed."""
        self._thread = Thread(target=self._run, args=(heard,), name="news", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End, and return when *heard* is called no more."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self, heard: Callable[[], object]) -> None:
        while not self._stopping.is_set():
            try:
                self._listen(heard)
            except Exception as error:  # noqa: BLE001 - the outermost loop of a thread: callers who wait are looked after by the clock
                log.warning("news.not_heard", why=type(error).__name__)
            self._hears.clear()
            self._stopping.wait(AGAIN_SECONDS)

    def _listen(self, heard: Callable[[], object]) -> None:
        """Listen and tell until it is to end, or the connection breaks."""
        with self._engine.connect() as connection:
            driver: Any = connection.connection.driver_connection
            try:
                driver.execute(f"LISTEN {CHANNEL}")
                self._hears.set()
                heard()  # What was told before is not heard any more.
                while not self._stopping.is_set():
                    if self._something.is_set():
                        self._something.clear()
                        driver.execute(f"NOTIFY {CHANNEL}")
                    for _ in driver.notifies(timeout=TURN_SECONDS, stop_after=1):
                        heard()
            finally:
                connection.invalidate()
