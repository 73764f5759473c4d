"""Redraws: which waiting cards a pause or a resume makes out of date.

A card says how many approvals are missing, and a pause undoes those that were given: so every card in its scope is drawn again
when it begins and when it ends. That is left to a sweep, because a pause must not wait for the rows of a thousand cards, nor for
whoever holds one of them. Each card keeps the epoch up to which pauses have been looked at for it; one that was on its way in
while somebody paused carries the older epoch, and is met by the next sweep.
"""

from typing import Any, Final

from sqlalchemy import ColumnElement, bindparam, literal_column, select, update

from approvals.errors import Garbled
from approvals.identity.place import Place
from approvals.workflow.pause import Pause
from models.engine.columns import NUMBER, TEXT
from models.engine.prepared import Prepared
from models.store.reading import SqlReading
from models.store.store import SqlStore
from models.store.tables import cards

BATCH: Final = 100
"""How many cards are looked at in one transaction."""

BATCHES: Final = 10
"""How many transactions one sweep makes: what is left is the next one's. A sweep over everything that waits would keep a service
that is told to stop, and with it the worker lock, for minutes, and its leg would fall silent meanwhile."""

_WAITING: Final[ColumnElement[bool]] = literal_column("kind = 'request' AND NOT closed")
"""Spelt out as in the index, so that either engine sees that it fits."""
OLDER: Final = (
    select(cards.c.subject, cards.c.channel, cards.c.epoch)
    .where(_WAITING, cards.c.epoch < bindparam("epoch", type_=NUMBER))
    .order_by(cards.c.epoch)
    .limit(bindparam("limit", type_=NUMBER))
)
_OLDER: Final = Prepared(OLDER)
_LOOKED_AT: Final = Prepared(
    update(cards)
    .where(
        cards.c.subject == bindparam("the_subject", type_=TEXT),
        cards.c.channel == bindparam("the_channel", type_=TEXT),
        cards.c.epoch < bindparam("the_epoch", type_=NUMBER),
    )
    .values(epoch=bindparam("the_epoch", type_=NUMBER), wanted=cards.c.wanted + bindparam("the_redraws", type_=NUMBER))
)


class Redraws:
    """The sweep."""

    def __init__(self, store: SqlStore, *, batches: int = BATCHES) -> None:
        """Keep the store whose cards these are, and how many transactions one sweep makes at most."""
        self._store = store
        self._batches = batches

    def __call__(self) -> int:
        """Have waiting cards drawn again over which a pause has begun or ended, and return how many those are.

        Where more wait than one sweep looks at, the next one goes on with the rest.
        """
        redrawn = 0
        for _ in range(self._batches):
            found = self._batch()
            if found is None:
                break
            redrawn += found
        return redrawn

    def _batch(self) -> int | None:
        """Return how many of some cards are to be drawn again; None where no card is left to be looked at."""
        with self._store.reading() as reading:
            epoch = reading.epoch()
            older = _OLDER.rows(reading.connection, {"epoch": epoch, "limit": BATCH})
            if not older:
                return None
            pauses = reading.pauses(ended_after=min(seen for _, _, seen in older))
            looked_at = [_looked_at(reading, card, pauses, epoch=epoch) for card in sorted(older)]
        with self._store.writing() as uow:
            for values in looked_at:
                _LOOKED_AT.run(uow.connection, values)
        return sum(int(values["the_redraws"]) for values in looked_at)


def _looked_at(reading: SqlReading, card: Any, pauses: tuple[Pause, ...], *, epoch: int) -> dict[str, Any]:
    subject, channel, seen = card
    try:
        request = reading.request(subject)
        stale = request is not None and _is_stale(request.place, pauses, seen=seen)
    except Garbled:
        stale = True  # Whoever draws it sees that it cannot be drawn; here it must not keep the others from being looked at.
    return {"the_subject": subject, "the_channel": channel, "the_epoch": epoch, "the_redraws": int(stale)}


def _is_stale(place: Place, pauses: tuple[Pause, ...], *, seen: int) -> bool:
    """Tell whether a pause over *place* has begun or ended since the epoch *seen*."""
    return any(
        pause.scope.covers(place) and max(pause.engaged_epoch, pause.ended_epoch or 0) > seen for pause in pauses
    )
