"""What the last heartbeat says of the service, for a command that runs beside it or after its death."""

from datetime import datetime, timedelta
from typing import Final

from bot.cli.desk import ServiceStatus
from bot.runtime.pulse import BEAT_SECONDS
from models.store.heartbeats import Heartbeat

FRESH: Final = timedelta(seconds=6 * BEAT_SECONDS)
"""How old a heartbeat may be and still say how the service is now: a busy store may make it miss some."""


def service_status(last: Heartbeat | None, *, now: datetime) -> ServiceStatus:
    """Return what *last* says at *now*. One that is too old says that nobody writes here, and nothing of how anything is."""
    if last is None:
        return ServiceStatus(sentence="no service has ever run on this database", legs=())
    if last.stopped_at is not None:
        return ServiceStatus(sentence=f"stopped in good order at {_text(last.stopped_at)}", legs=())
    age = now - last.seen_at
    if age > FRESH:
        sentence = (
            f"no service has written here for {_words(age)}, since {_text(last.seen_at)}: it has died, or cannot write"
            " to this database. Look at its log, and start countersign serve again"
        )
        return ServiceStatus(sentence=sentence, legs=())
    return ServiceStatus(sentence=f"runs since {_text(last.started_at)}", legs=last.legs)


def _words(age: timedelta) -> str:
    seconds = int(age.total_seconds())
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= size:
            number = seconds // size
            return f"{number} {unit}{'s' if number > 1 else ''}"
    return f"{seconds} seconds"


def _text(at: datetime) -> str:
    return f"{at.isoformat()[:19]}Z"
