"""Refusals: how long a bad body takes to be refused, over HTTP, its audit event included where the caller is known."""

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from benchmarks.bars import Figure
from benchmarks.intake import Caller, a_body, our_door
from benchmarks.places import Place, opened
from benchmarks.product import a_world
from benchmarks.timing import Spread, percentile, spread_of
from bot import clock
from models.payloads.escalation import LARGEST_BODY
from models.store.store import SqlStore

PART: Final = "refusing"
AT_MOST_MS: Final = 50.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much is measured."""

    repetitions: int = 3
    calls: int = 100
    """Of each kind of body in each repetition: the least of which a 99th percentile can be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bad:
    """One bad body and how it is answered."""

    what: str
    body: bytes
    status: int


def _changed(**fields: Any) -> bytes:
    return json.dumps(a_body() | fields).encode()


def bad_bodies() -> tuple[Bad, ...]:
    """Return one body of each kind, the costly ones as large as is read at all."""
    room = LARGEST_BODY - 2
    return (
        Bad(what="no JSON", body=b"{" * 10, status=400),
        Bad(what="no UTF-8", body=b"\xff" * room, status=400),
        Bad(what="NaN", body=_changed(confidence=float("nan")), status=400),
        Bad(what="a key given twice", body=b'{"environment":"a","environment":"b"}', status=400),
        Bad(what="nested to the limit of size", body=b"[" * (room // 2) + b"]" * (room // 2), status=400),
        Bad(what="an open string to the limit of size", body=b'"' + b"\\a" * (room // 2), status=400),
        Bad(what="many keys", body=json.dumps({f"k{n}": n for n in range(room // 20)}).encode(), status=400),
        Bad(what="a huge number", body=b'{"confidence":' + b"9" * (room - 20) + b"}", status=400),
        Bad(what="half a surrogate pair", body=_changed(rationale="\ud800"), status=400),
        Bad(what="an unknown field", body=_changed(force=True), status=422),
        Bad(what="a text for a number", body=_changed(confidence="0.8"), status=422),
        Bad(what="too large", body=b"x" * (LARGEST_BODY * 4), status=413),
    )


def measure(place: Place, sizes: Sizes, said: Callable[[str], None]) -> Iterable[Figure]:
    """Return the 99th percentile over all bad bodies, and that of the slowest kind; *said* is told how far it is."""
    with opened(place) as database:
        store = SqlStore(database, host_clock=clock.utc_now, new_salt=clock.new_salt)
        with our_door(a_world(store)) as door:
            caller = Caller(door.port, door.secret)
            everything, slowest = [], []
            for number in range(1, sizes.repetitions + 1):
                said(f"{PART} on {place.name}: repetition {number} of {sizes.repetitions}")
                taken = {bad.what: _taken(caller, door.secret, bad, calls=sizes.calls) for bad in bad_bodies()}
                everything.append(percentile([one for times in taken.values() for one in times], 99) * 1e3)
                slowest.append(max((percentile(times, 99) * 1e3, what) for what, times in taken.items()))
            caller.close()
    kinds = f"{len(bad_bodies())} kinds of bad bodies"
    return (
        _figure(place, f"p99 over {kinds}", spread_of(everything), beside=""),
        _figure(place, "p99 of the slowest kind", spread_of(ms for ms, _ in slowest), beside=max(slowest)[1]),
    )


def _taken(caller: Caller, secret: str, bad: Bad, *, calls: int) -> list[float]:
    headers: Mapping[str, str] = {
        "Authorization": f"Bearer {secret}",
        "Content-Type": "application/json",
        "Idempotency-Key": "bad",
    }
    taken = []
    for _ in range(calls):
        started = time.perf_counter()
        status, problem = caller.call(bad.body, headers)
        taken.append(time.perf_counter() - started)
        assert status == bad.status, f"{bad.what}: {status} {problem!r}"
    return taken


def _figure(place: Place, what: str, measured: Spread, *, beside: str) -> Figure:
    return Figure(
        part=PART, store=place.name, what=what, measured=measured, unit="ms", at_most=AT_MOST_MS, beside=beside
    )
