"""Intake: an agent's escalation over HTTP, from its first byte to the 202, against a bare endpoint with one durable insert.

Ours: the production server, with credential, strict body, scope, pause, policy, preview (at once: the cluster is a table), ruling
and the question with its plan and audit event, committed. The base: FastAPI on the same kind of server, a pydantic body, and one
row by the bare driver. Both are called over one kept connection on loopback, by turns.
"""

import asyncio
import http.client
import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from typing import Any, Final

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict
from sqlalchemy import text

from approvals.identity.tokens import TokenKind
from approvals.workflow.request import State
from benchmarks.bars import Figure
from benchmarks.places import Bare, Place, opened
from benchmarks.product import a_world
from benchmarks.timing import compared, in_turns
from bot import clock
from bot.health.legs import Readiness
from bot.intake.deps import Deps, Rates
from bot.intake.gate.rates import Rate
from bot.intake.server import Intake
from bot.observe.metrics import Metrics
from bot.runtime.pools import standard_pools
from models.store.store import SqlStore
from tests.waiting import wait_until
from tests.world import World

AT_MOST: Final = 3.0
PART: Final = "intake"
PATH: Final = "/v1/escalations"

_ANY: Final = Rate(per_second=1e9, burst=1_000_000_000)
_PENDING: Final = 50
"""As many questions as one agent may have open in production; each repetition begins with none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much is measured."""

    repetitions: int = 5
    calls: int = 150


def measure(place: Place, sizes: Sizes, said: Callable[[str], None]) -> Iterable[Figure]:
    """Return how taking an escalation compares to the base; *said* is told how far it is."""
    return asyncio.run(_measured(place, sizes, said))


async def _measured(place: Place, sizes: Sizes, said: Callable[[str], None]) -> Iterable[Figure]:
    with opened(place) as database:
        store = SqlStore(database, host_clock=clock.utc_now, new_salt=clock.new_salt)
        world = a_world(store)
        with our_door(world) as ours, _listening(_bare_server(place.new_bare())) as base_port:
            caller, base = Caller(ours.port, ours.secret), Caller(base_port, ours.secret)
            await in_turns(caller.timed, base.timed, times=_PENDING // 2)
            pairs = []
            for number in range(1, sizes.repetitions + 1):
                said(f"{PART} on {place.name}: repetition {number} of {sizes.repetitions}")
                pairs.append(await _repetition(store, caller, base, calls=sizes.calls))
            caller.close()
            base.close()
    found = compared(pairs)
    beside = f"{found.ours_s * 1e3:.2f} ms against {found.base_s * 1e3:.2f} ms"
    return (
        Figure(
            part=PART,
            store=place.name,
            what="POST /v1/escalations",
            measured=found.ratio,
            unit="x",
            at_most=AT_MOST,
            beside=beside,
        ),
    )


async def _repetition(store: SqlStore, ours: "Caller", base: "Caller", *, calls: int) -> tuple[float, float]:
    medians = []
    for start in range(0, calls, _PENDING):
        _close_all(store)
        medians.append(await in_turns(ours.timed, base.timed, times=min(_PENDING, calls - start)))
    return sum(one for one, _ in medians) / len(medians), sum(other for _, other in medians) / len(medians)


def _close_all(store: SqlStore) -> None:
    """Take every open question back, by hand: one agent may have only so many."""
    with store.writing() as uow:
        uow.connection.execute(
            text(f"UPDATE escalations SET state = '{State.CANCELLED}', decided_at = asked_at WHERE state = 'pending'")  # noqa: S608 - a word of ours
        )


class Caller:
    """Calls one server over one kept connection, as an agent would; its body is what an agent sends."""

    def __init__(self, port: int, secret: str) -> None:
        """Connect when first called."""
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self._secret = secret
        self._numbers = count()

    async def timed(self) -> float:
        """Escalate once and return how long it took."""
        number = next(self._numbers)
        headers = {
            "Authorization": f"Bearer {self._secret}",
            "Content-Type": "application/json",
            "Idempotency-Key": f"call-{number}",
        }
        # Another number each time: the same effect would be the question that waits already.
        body = json.dumps(a_body(replicas=6 + number % 900)).encode()
        started = time.perf_counter()
        status, _ = self.call(body, headers)
        taken = time.perf_counter() - started
        assert status == 202, status
        return taken

    def call(self, body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes]:
        """Return the status and the body of the answer to one call."""
        self._connection.request("POST", PATH, body, dict(headers))
        answer = self._connection.getresponse()
        return answer.status, answer.read()

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


def a_body(replicas: int = 6) -> dict[str, Any]:
    """Return what an agent sends that wants more pods."""
    return {
        "environment": "prod-eu-1",
        "action": {
            "verb": "scale",
            "target": {"kind": "Deployment", "namespace": "shop", "name": "checkout"},
            "parameters": {"replicas": replicas},
        },
        "rationale": "p99 is 4.1 s against an objective of 1 s since 11:40; CPU is at its limit on all three pods.",
        "breaches": [{"limit": "cluster-cpu", "observed": 0.87, "ceiling": 0.80}],
        "evidence": [{"title": "p99", "text": "4.1 s"}],
        "confidence": 0.8,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class OurDoor:
    """The agents' door, open."""

    port: int
    secret: str
    """An agent's token."""


@contextmanager
def our_door(world: World) -> Iterator[OurDoor]:
    """Give the production server over *world*, without bounds on pace, for the length of the block."""
    pools = standard_pools()
    secret = clock.new_secret()
    world.admit.create(
        secret,
        kind=TokenKind.AGENT,
        holder="scaler",
        environments=(),
        namespaces=(),
        good_for=timedelta(days=1),
        by="os:olga",
    )
    deps = Deps(
        store=world.store,
        admit=world.admit,
        escalate=world.escalate,
        cancel=world.cancel,
        notice=world.notice,
        pools=pools,
        metrics=Metrics(),
        readiness=lambda: Readiness(legs=()),
        rates=Rates(calls=_ANY, escalations=_ANY, failures=_ANY, refusals=_ANY),
    )
    try:
        with _listening(Intake(deps).server(host="127.0.0.1", port=0)) as port:
            yield OurDoor(port=port, secret=secret)
    finally:
        pools.close()


class _Wish(BaseModel):
    """The base's body: a shape, and no rules."""

    model_config = ConfigDict(extra="ignore")

    environment: str
    action: dict[str, Any]
    rationale: str


def _bare_server(bare: Bare) -> uvicorn.Server:
    app = FastAPI()

    @app.post(PATH, status_code=202)
    async def escalate(wish: _Wish) -> dict[str, str]:
        bare.insert()
        return {"id": "esc_1", "status": wish.action["verb"]}

    return uvicorn.Server(uvicorn.Config(app, port=0, http="h11", loop="asyncio", log_level="error", access_log=False))


@contextmanager
def _listening(server: uvicorn.Server) -> Iterator[int]:
    """Run *server* on a free port of 127.0.0.1, in a thread, for the length of the block; give the port."""
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()))
    thread.start()
    try:
        wait_until(lambda: server.started or not thread.is_alive(), what="the server listens")
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()
