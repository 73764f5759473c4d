"""The product as it is measured: the production verbs, doors and store over one database, with real clocks and ids.

What is not the product's own work answers at once: the workspace's directory and the cluster are the tests' fakes, and private
notes to whoever clicked, which nobody waits for, are dropped.
"""

import hashlib
import hmac
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import urlencode

from starlette.requests import Request as Call
from starlette.types import Message

from approvals.change.action import Wish
from approvals.change.plan import Preview
from approvals.verbs.verb import PlanSeed, Verb
from approvals.workflow.request import Request
from bot import clock
from bot.observe.metrics import Metrics
from bot.outbox.delivery import Drawn, DrawReason
from bot.runtime.pools import Pools, standard_pools
from bot.slack.inbound.acting import Acting
from bot.slack.inbound.answers import Answers, Person
from bot.slack.inbound.commands import Handle
from bot.slack.inbound.copies import Copies
from bot.slack.inbound.door import make_app
from bot.slack.inbound.listeners import Listeners
from bot.slack.inbound.signed_http import PATH, SignedHttp
from bot.slack.messages.buttons import APPROVE
from bot.slack.messages.painter import SlackPainter
from bot.slack.messages.review_part import render_review
from bot.slack.workspace.clients import async_client, client
from bot.slack.workspace.directory import SlackDirectory
from bot.slack.workspace.pin import Installed
from models.outbox.cards import Cards
from models.outbox.tasks import Task
from models.store.store import SqlStore
from tests.builders import CHANNEL, TEAM, a_policy, a_token, an_action, an_escalation
from tests.fakes.cluster import FakeCluster
from tests.world import FixedPolicies, World

SECRET: Final = "0123456789abcdef0123456789abcdef"  # noqa: S105 - both sides of a loopback conversation
NOWHERE: Final = "http://127.0.0.1:9/api/"
"""Where the clients point that are never used."""

INSTALLED: Final = Installed(team=TEAM, bot_id="B0COUNTERSIGN", bot_user="U0COUNTERSIGN")
_MANY: Final = 1_000_000_000


def a_world(store: SqlStore) -> World:
    """Return every verb over *store*, its policy in force and its agent's token known."""
    world = World(
        store=store,
        cluster=Table(FakeCluster.with_checkout(now=clock.utc_now)),
        policies=FixedPolicies(a_policy()),
        new_id=clock.new_id,
        journey=Metrics(),
        render=render_review,
    ).settled()
    world.escalate = replace(world.escalate, most_pending=_MANY)
    return world


class Table:
    """A cluster that answers at once: the fake's answer to a wish is looked up from its second time on.

    What a preview costs is two trips to an API server; what the fake costs, which copies its objects, is nobody's.
    """

    def __init__(self, cluster: FakeCluster) -> None:
        """Keep the cluster behind it."""
        self._cluster = cluster
        self._previews: dict[str, Preview] = {}

    def __getattr__(self, name: str) -> Any:
        """Leave the rest to the cluster behind it."""
        return getattr(self._cluster, name)

    def preview(self, wish: Wish, *, verb: Verb, occasion: PlanSeed) -> Preview:
        """Return what the verb would change."""
        key = repr((wish.environment, wish.agent, wish.action))
        if key not in self._previews:
            self._previews[key] = self._cluster.preview(wish, verb=verb, occasion=occasion)
        return self._previews[key]


@dataclass(frozen=True, slots=True, kw_only=True)
class Click:
    """A signed click as it comes over the wire."""

    request: str
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...]


class Clicks:
    """Makes questions with cards, and the clicks on them."""

    def __init__(self, world: World, store: SqlStore) -> None:
        """Ask over *world*, whose store is *store*."""
        self._world, self._store, self._cards = world, store, Cards(store)
        self._made = 0

    def make(self, count: int) -> list[Click]:
        """Return *count* approvals, each of another pending request whose card stands in the channel."""
        requests = [self._ask() for _ in range(count)]
        clicks: dict[str, Click] = {}
        while tasks := self._cards.behind(limit=100):
            for task in tasks:
                if task.shown:
                    self._cards.shown(
                        task
                    )  # Of an earlier click: it is drawn again in the channel, which is nobody's here.
                else:
                    clicks[task.subject] = self._posted(task)
        return [clicks[request.id] for request in requests]

    def _posted(self, task: Task) -> Click:
        """Return the click on a card that is written down as posted."""
        drawn = Drawn(subject=task.subject, kind=task.kind.value, channel=task.channel, revision=task.wanted)
        with self._store.reading() as reading:
            card = SlackPainter(FixedPolicies(a_policy())).card(reading, drawn, DrawReason.FIRST)
        self._made += 1
        ts = f"1763700000.{self._made:06d}"
        self._cards.posted(task, ts)
        return signed(_payload(task.subject, ts, list(card.blocks)), request=task.subject)

    def _ask(self) -> Request:
        self._made += 1
        # Of another number of pods each time: the same effect would be the question that waits already.
        asked = an_escalation(idempotency_key=f"key-{self._made}", action=an_action(replicas=10 + self._made % 900))
        return self._world.escalate(asked, a_token()).request


def signed(payload: dict[str, Any], *, request: str) -> Click:
    """Return *payload* as Slack sends it, signed just now."""
    body = urlencode({"payload": json.dumps(payload)}).encode()
    stamp = str(int(clock.seconds())).encode()
    signature = hmac.new(SECRET.encode(), b"v0:" + stamp + b":" + body, hashlib.sha256).hexdigest()
    headers = (
        (b"host", b"127.0.0.1"),
        (b"user-agent", b"Slackbot 1.0 (+https://api.slack.com/robots)"),
        (b"accept", b"application/json,*/*"),
        (b"content-type", b"application/x-www-form-urlencoded"),
        (b"content-length", str(len(body)).encode()),
        (b"x-slack-request-timestamp", stamp),
        (b"x-slack-signature", f"v0={signature}".encode()),
    )
    return Click(request=request, body=body, headers=headers)


def _payload(request: str, ts: str, blocks: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the payload of Ada's click on Approve on the card at *ts*."""
    (actions,) = (block for block in blocks if block["type"] == "actions")
    (button,) = (element for element in actions["elements"] if element["action_id"] == APPROVE)
    channel = CHANNEL.partition(":")[2]
    message = {
        "type": "message",
        "user": INSTALLED.bot_user,
        "bot_id": INSTALLED.bot_id,
        "app_id": "A0COUNTERSIGN",
        "ts": ts,
        "text": f"A card about {request}",
        "blocks": blocks,
    }
    return {
        "type": "block_actions",
        "user": {"id": "U0ADA", "username": "ada", "name": "ada", "team_id": TEAM},
        "api_app_id": "A0COUNTERSIGN",
        "token": "unused",
        "container": {"type": "message", "message_ts": ts, "channel_id": channel, "is_ephemeral": False},
        "trigger_id": "13345224609.738474920.8088930838d88f008e0",
        "team": {"id": TEAM, "domain": "countersign"},
        "enterprise": None,
        "is_enterprise_install": False,
        "channel": {"id": channel, "name": "prod"},
        "message": message,
        "state": {"values": {}},
        "response_url": f"{NOWHERE}response",
        "actions": [{"type": "button", "block_id": actions["block_id"], "action_ts": ts, **button}],
    }


class Unheard(Answers):
    """Private notes that go nowhere: they are sent after Slack was answered, by a client of Slack's."""

    async def tell(self, person: Person, text: str) -> None:
        """Drop it."""


class SlackDoor:
    """The approvers' door over signed HTTP, in this process."""

    def __init__(self, http: SignedHttp) -> None:
        """Keep the door."""
        self._http = http

    async def take(self, click: Click) -> None:
        """Take one click, and return when Slack would have its answer.

        Raises:
            AssertionError: It was not acknowledged.
        """

        async def receive() -> Message:
            return {"type": "http.request", "body": click.body, "more_body": False}

        scope = {"type": "http", "method": "POST", "path": PATH, "query_string": b"", "headers": list(click.headers)}
        answer = await self._http.handle(Call(scope, receive))
        assert answer.status_code == 200, answer.status_code


@contextmanager
def slack_door(world: World, store: SqlStore) -> Iterator[SlackDoor]:
    """Give the approvers' door over *world*, put together as the service does, for the length of the block."""
    pools: Pools = standard_pools()
    directory = SlackDirectory(client(None, NOWHERE, timeout_seconds=1), team=TEAM)
    web = async_client(None, NOWHERE, timeout_seconds=1)
    listeners = Listeners(
        installed=INSTALLED,
        decide=world.decide,
        copies=Copies(store=store, cards=Cards(store)),
        handle=Handle(store=store, engage=world.pause, resume=world.resume),
        directory=directory,
        pools=pools,
        acting=Acting(Unheard(web)),
        forms=web,
    )
    app = make_app(listeners, client=web, token="xoxb-unused")  # noqa: S106 - it opens nothing
    try:
        yield SlackDoor(SignedHttp(app, SECRET, seconds=clock.seconds))
    finally:
        pools.close()
        directory.close()
