"""A running door for tests: the production server on loopback over one store, and a client that holds it to its contract.

Every answer is checked against the OpenAPI document as it comes in: its status is one that the path names, its type and its
body are what the document says. So each test is a test of the contract, too.
"""

import asyncio
import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from approvals.canonical import decode
from approvals.identity.tokens import Token, TokenKind
from approvals.verbs.registry import REGISTRY
from bot.health.legs import Readiness
from bot.intake.deps import Deps, Rates
from bot.intake.http.crowd import Crowd
from bot.intake.http.sources import Network
from bot.intake.server import Intake
from bot.observe.metrics import Metrics
from bot.runtime.pools import BoundedPool, Pools
from models.engine.database import Database
from models.store.store import SqlStore
from tests.bot.intake.schemas import faults
from tests.builders import a_charter, a_policy, an_autoscaler
from tests.fakes.cluster import FakeCluster
from tests.fixtures.stores import CountingSalts
from tests.waiting import wait_until
from tests.world import FixedPolicies, HandClock, World, number_of

AGENT = "cst_secret"
OTHER_AGENT = "cst_another"
NARROW = "cst_narrow"
MONITOR = "cst_monitor"
FRESH = "cst_fresh"
"""A token of ``scaler``, good for a day from when the world was made; for stores that go by their own clock."""
JSON = "application/json"
PROBLEM = "application/problem+json"
ESCALATIONS = "/v1/escalations"
ALERTS = "/v1/alerts/alertmanager"
DAY = timedelta(days=1)


def scaling(replicas: int) -> dict[str, Any]:
    """Return the wish for that many pods."""
    return {
        "verb": "scale",
        "target": {"kind": "Deployment", "namespace": "shop", "name": "checkout"},
        "parameters": {"replicas": replicas},
    }


def a_body(**changed: Any) -> dict[str, Any]:
    """Return the body by which ``scaler`` asks for more pods."""
    return {
        "environment": "prod-eu-1",
        "action": scaling(6),
        "rationale": "p99 is 4.1 s against an objective of 1 s",
        **changed,
    }


def a_delivery(status: str = "firing", **changed: Any) -> dict[str, Any]:
    """Return one delivery of Alertmanager with one alert."""
    alert = {
        "status": status,
        "labels": {"alertname": "Hot"},
        "annotations": {"summary": "It is hot."},
        "startsAt": "2026-11-20T11:00:00Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus.test/graph",
        "fingerprint": "00112233445566aa",
        **changed,
    }
    return {"version": "4", "groupKey": "{}", "status": status, "receiver": "countersign", "alerts": [alert]}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back from one call."""

    status: int
    headers: Mapping[str, str]
    raw: bytes

    @property
    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.raw)

    @property
    def code(self) -> str:
        """The code of a problem."""
        return str(self.json["code"])


@dataclass
class Door:
    """A door that is open."""

    world: World
    clock: HandClock
    port: int
    intake: Intake
    crowd: Crowd
    metrics: Metrics
    contract: dict[str, Any] = field(default_factory=dict)

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        token: str | None = AGENT,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Call the door and hold what it answers against the contract.

        Args:
            method: The HTTP method.
            path: With its query.
            body: Bytes as they are, anything else as JSON; None for no body.
            token: The bearer token; None for none.
            key: The idempotency key; None for none.
            headers: In addition, or instead.
        """
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {} if body is None else {"Content-Type": JSON}
        sent |= {} if token is None else {"Authorization": f"Bearer {token}"}
        sent |= {} if key is None else {"Idempotency-Key": key}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=90)
        try:
            connection.request(method, path, None if body is None else data, {**sent, **(headers or {})})
            response = connection.getresponse()
            answer = Answer(status=response.status, headers=dict(response.getheaders()), raw=response.read())
        finally:
            connection.close()
        self._check(method, path.partition("?")[0], answer)
        return answer

    def escalate(self, key: str = "key-1", *, token: str = AGENT, **changed: Any) -> Answer:
        """Escalate with a good body; under another key it asks for another number of pods, unless *changed* says for what."""
        if key != "key-1":
            changed.setdefault("action", scaling(number_of(key)))
        return self.call("POST", ESCALATIONS, a_body(**changed), key=key, token=token)

    def raw(self, data: bytes, *, then: Callable[[socket.socket], None] | None = None) -> bytes:
        """Send bytes as they are and return everything that comes back until the door hangs up."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
            connection.sendall(data)
            if then is not None:
                then(connection)
            received = b""
            while piece := connection.recv(65536):
                received += piece
        return received

    def events(self) -> list[dict[str, Any]]:
        """Return every event on record, in the order of their streams."""
        return events_in(self.world.store)

    def _check(self, method: str, path: str, answer: Answer) -> None:
        operation = self._operation(method, path)
        assert answer.status < 500 or answer.status == 503, answer
        if operation is None:
            assert answer.status < 400 or answer.headers["content-type"] == PROBLEM, answer
            return
        if answer.status == 404 and answer.code == "no_such_path":
            return
        said = operation["responses"].get(str(answer.status))
        assert said is not None, f"{method} {path} does not name {answer.status}: {answer.raw!r}"
        ((media_type, content),) = said["content"].items()
        assert answer.headers["content-type"] == media_type
        assert faults(answer.json, content["schema"], self.contract) == []

    def _operation(self, method: str, path: str) -> dict[str, Any] | None:
        if not self.contract:
            return None
        parts = path.split("/")
        for template, operations in self.contract["paths"].items():
            names = template.split("/")
            if len(names) == len(parts) and all(
                name == part or name.startswith("{") for name, part in zip(names, parts, strict=True)
            ):
                found: dict[str, Any] | None = operations.get(method.lower())
                return found
        return None


def events_in(store: Any) -> list[dict[str, Any]]:
    """Return every event on record in *store*."""
    with store.reading() as reading:
        rows = reading.connection.exec_driver_sql("SELECT body FROM events ORDER BY stream, sequence").all()
    return [decode(bytes(row.body)) for row in rows]  # type: ignore[misc]


def a_policy_with_two_agents() -> Any:
    """Return a policy in which a second agent may do what the first one may: all that there are verbs for."""
    verbs = frozenset(verb.name for verb in REGISTRY)
    charters = {agent: a_charter(agent=agent, verbs=verbs) for agent in ("scaler", "pruner")}
    return replace(a_policy(), charters=charters)


def a_world(database: Database, clock: HandClock) -> World:
    """Return a world with two agents, one of them with a second, narrow token, and a monitor."""
    store = SqlStore(database, host_clock=clock, new_salt=CountingSalts())
    cluster = FakeCluster.with_checkout()
    cluster.objects["HorizontalPodAutoscaler", "shop", "checkout"] = an_autoscaler()
    world = World(store=store, policies=FixedPolicies(a_policy_with_two_agents()), cluster=cluster).settled()
    _token(world, OTHER_AGENT, holder="pruner")
    _token(world, FRESH, holder="scaler")
    _token(world, NARROW, holder="scaler", namespaces=("staging",))
    _token(world, MONITOR, kind=TokenKind.ALERTMANAGER, holder="prometheus", environments=("prod-eu-1",))
    return world


def _token(world: World, secret: str, **changed: Any) -> Token:
    wanted = {
        "kind": TokenKind.AGENT,
        "environments": (),
        "namespaces": (),
        "good_for": DAY,
        "by": "os:olga",
        **changed,
    }
    return world.admit.create(secret, **wanted)


def small_pools() -> Pools:
    """Return pools of a few threads."""
    return Pools(
        urgent=BoundedPool("urgent", threads=1, queue=8),
        decide=BoundedPool("decide", threads=1, queue=8),
        intake=BoundedPool("intake", threads=4, queue=64),
        cluster=BoundedPool("cluster", threads=4, queue=64),
    )


@contextmanager
def open_door(
    world: World,
    clock: HandClock,
    *,
    rates: Rates | None = None,
    readiness: Callable[[], Readiness] = lambda: Readiness(legs=()),
    pools: Pools | None = None,
    seconds: Callable[[], float] = time.monotonic,
    proxies: tuple[Network, ...] = (),
) -> Iterator[Door]:
    """Serve *world* on loopback for the length of the block; *seconds* is what paces are measured with."""
    metrics, own = Metrics(), pools or small_pools()
    deps = Deps(
        store=world.store,
        admit=world.admit,
        escalate=world.escalate,
        cancel=world.cancel,
        notice=world.notice,
        pools=own,
        metrics=metrics,
        readiness=readiness,
        rates=rates or Rates(),
        proxies=proxies,
        clock=seconds,
    )
    intake = Intake(deps)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        server = intake.server(host="127.0.0.1", port=port)
        thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])))
        thread.start()
        try:
            wait_until(lambda: server.started or not thread.is_alive(), what="the door is open")
            door = Door(world=world, clock=clock, port=port, intake=intake, crowd=server.crowd, metrics=metrics)
            door.contract = door.call("GET", "/openapi.json", token=None).json
            yield door
        finally:
            server.should_exit = True
            thread.join()
            own.close()
