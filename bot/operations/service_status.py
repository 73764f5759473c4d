"""What the last heartbeat says of the service, for a command that runs beside it or after its death."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from bot.cli.parts import ServiceStatus
from bot.runtime.pulse import BEAT_SECONDS
from models.store.heartbeats import Heartbeat

FRESH: Final = timedelta(seconds=6 * BEAT_SECONDS)
"""How old a heartbeat may be and still say how the service is now: a busy store may make it miss some."""


def service_status(heard: Sequence[Heartbeat], *, leader: str | None, now: datetime) -> ServiceStatus:
    """Return what heartbeats say at *now*. Where all are too old, nobody writes here, and how anything is is not known.

    Args:
        heard: The last of each process, the newest first.
        leader: Who holds the lease, if anybody does: the process's name, and what tells it from one before it.
        now: The host's instant.
    """
    running = [one for one in heard if one.stopped_at is None and now - one.seen_at <= FRESH]
    if len(running) > 1:
        return _of_several(running, leader=leader)
    if not heard:
        return ServiceStatus(sentence="no service has ever run on this database", legs=())
    last = running[0] if running else heard[0]
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


def _of_several(running: Sequence[Heartbeat], *, leader: str | None) -> ServiceStatus:
    """Return what several processes say: every leg of whoever leads, and of the others those that do not stand."""
    leads = [one for one in running if leader is not None and leader.startswith(f"{one.process}:")]
    ordered = [*leads, *sorted((one for one in running if one not in leads), key=lambda one: one.process)]
    told = [f"{one.process} since {_text(one.started_at)}{' (leads)' if one in leads else ''}" for one in ordered]
    nobody = "" if leads else "; nobody leads at this moment"
    legs = [leg for one in leads for leg in one.legs]
    for one in ordered[len(leads) :]:
        legs += [{**leg, "of": f"{leg['of']} at {one.process}".strip()} for leg in one.legs if leg["state"] != "good"]
    return ServiceStatus(sentence=f"{len(ordered)} replicas run: {', '.join(told)}{nobody}", legs=tuple(legs))


def _words(age: timedelta) -> str:
    seconds = int(age.total_seconds())
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= size:
            number = seconds // size
            return f"{number} {unit}{'s' if number > 1 else ''}"
    return f"{seconds} seconds"


def _text(at: datetime) -> str:
    return f"{at.isoformat()[:19]}Z"
