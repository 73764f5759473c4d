"""An office: the stand-in workspace, the product's own door to it, and every verb over one store. Tests act in it as people.

The workspace and the door live on an event loop in a thread of its own; a test is plain code in the foreground that clicks, steps
the relay and looks. Nothing here knows the rules.
"""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

import uvicorn
from starlette.applications import Starlette

from approvals.ports.journey import Journey
from approvals.workflow.request import Request
from bot import clock
from bot.health.legs import Legs
from bot.outbox.orphans import Orphans
from bot.outbox.relay import Relay
from bot.runtime.pools import standard_pools
from bot.runtime.waits import Backoff
from bot.slack.inbound.acting import Acting
from bot.slack.inbound.answers import Answers
from bot.slack.inbound.commands import Handle
from bot.slack.inbound.copies import Copies
from bot.slack.inbound.door import make_app
from bot.slack.inbound.listeners import Listeners
from bot.slack.inbound.signed_http import SignedHttp
from bot.slack.inbound.sockets import Sockets
from bot.slack.messages.painter import SlackPainter
from bot.slack.messages.review_part import render_review
from bot.slack.workspace.clients import async_client, client
from bot.slack.workspace.directory import SlackDirectory
from bot.slack.workspace.pin import Installed
from bot.slack.workspace.poster import SlackPoster
from models.audit.book import AuditBook
from models.outbox.cards import Cards
from models.outbox.thread_lines import ThreadLines
from models.store.store import SqlStore
from sandbox.workspace import Ephemeral, HttpMode, Message, Outcome, Seed, Strictness, Workspace, default_seed
from tests.fakes.journey import Remembered
from tests.fixtures.stores import SteppingClock
from tests.waiting import wait_until
from tests.world import FixedPolicies, World

T = TypeVar("T")

PROD = "C0PROD"
REPLACES = "This card replaces an earlier one that may have been lost."
SECRET = "0123456789abcdef0123456789abcdef"
IDLE_STEPS = 4
"""After so many steps without a message everything is up to date, as far as it can be."""

PATIENT = Strictness(post_rate=None, method_rates={}, ack_seconds=60, trigger_seconds=60)
"""Slack without its pace, for tests that are not about it."""


class QuickClock:
    """A clock that a test lets run: each look at it is a second later, so that no pace holds anything up."""

    def __init__(self) -> None:
        self._seconds = 0.0

    def __call__(self) -> float:
        """Return the next second."""
        self._seconds += 1.0
        return self._seconds


class Loop:
    """An event loop in a thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="office", daemon=True)
        self._thread.start()

    def do(self, work: Coroutine[Any, Any, T], *, within_s: float = 60.0) -> T:
        """Return what *work* returns on the loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(within_s)

    def stop(self) -> None:
        """End the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


@dataclass
class Office:
    """Everything that is up, and what people can do in it."""

    store: SqlStore
    clock: SteppingClock
    policies: FixedPolicies = field(default_factory=FixedPolicies)
    seed: Seed = field(default_factory=default_seed)
    strictness: Strictness = PATIENT
    over_http: bool = False
    journey: Journey = field(default_factory=Remembered)
    monotonic: Callable[[], float] = field(default_factory=QuickClock)
    cut_off_seconds: float = 30
    patience_seconds: float = 20
    closing_seconds: float = 20
    connect: bool = True
    legs: Legs = field(default_factory=lambda: Legs(now=clock.utc_now))

    def open(self) -> "Office":
        """Open it."""
        self.loop = Loop()
        self.pools = standard_pools()
        self._server: uvicorn.Server | None = None
        self.loop.do(self._open())
        self.world = World(
            store=self.store,
            directory=self.directory,
            policies=self.policies,
            render=render_review,
            journey=self.journey,
        ).settled()
        self.cards, self.lines = Cards(self.store), ThreadLines(self.store)
        self.relay = self.a_relay(self.journey)
        if self.connect:
            self.loop.do(self._wire())
        return self

    def a_relay(self, journey: Journey) -> "Relay[Any]":
        """Return a relay as a fresh process would make it."""
        poster = SlackPoster(
            client(self.workspace.bot_token, self.workspace.api_url, timeout_seconds=20), monotonic=self.monotonic
        )
        return Relay(
            store=self.store,
            cards=self.cards,
            lines=self.lines,
            painter=SlackPainter(self.policies),
            poster=poster,
            journey=journey,
            failed=unforeseen,
            hand_over=Orphans(self.cards).hand_over,
        )

    def close(self) -> None:
        """Close it, clicks first."""
        self.loop.do(self._close())
        self.pools.close()
        self.directory.close()
        self.loop.stop()

    # What people do.

    def click(self, user: str, action_id: str, message: Message | None = None) -> Outcome:
        """Click a button on a card, the newest one if none is given."""
        card = message or self.card()
        return self.loop.do(self.workspace.click(user, card.channel, card.ts, action_id))

    def note(self, user: str) -> str:
        """Return the next private note that *user* sees."""
        return self.loop.do(self.workspace.next_ephemeral(user)).text

    def notes(self, user: str) -> list[Ephemeral]:
        """Return the private notes that *user* sees now."""
        return self.loop.do(self._call(lambda: self.workspace.ephemerals(user)))

    def command(self, user: str, text: str) -> str:
        """Run ``/agent-pause`` and return the private answer."""
        outcome = self.loop.do(self.workspace.run_command(user, PROD, "/agent-pause", text))
        assert outcome.acked, outcome
        return self.note(user)

    # What can be seen.

    def step(self) -> None:
        """Let the relay bring everything up to date, as its ticks would; a tick may find that it is too early."""
        idle = 0
        for _ in range(60):
            idle = 0 if self.relay.step() else idle + 1
            if idle == IDLE_STEPS:
                return
        raise AssertionError("the relay never comes to rest")

    def messages(self, channel: str = PROD) -> list[Message]:
        """Return the channel's messages."""
        return self.loop.do(self._call(lambda: self.workspace.messages(channel)))

    def cards_in(self, channel: str = PROD) -> list[Message]:
        """Return the messages that are no replies."""
        return [message for message in self.messages(channel) if not message.is_reply]

    def cards_in_now(self, channel: str = PROD) -> list[Message]:
        """Return the same, for code that runs on the workspace's loop already."""
        return [message for message in self.workspace.messages(channel) if not message.is_reply]

    def card(self) -> Message:
        """Return the newest card."""
        return self.cards_in()[-1]

    def thread(self) -> list[str]:
        """Return the texts of the thread under the newest card."""
        card = self.card()
        return [message.text for message in self.messages() if message.is_reply and message.thread_ts == card.ts]

    def shown(self, request: Request) -> str:
        """Bring everything up to date and return the newest card as text."""
        del request
        self.step()
        return text_of(self.card().blocks)

    def pass_by(self, duration: timedelta) -> None:
        """Let time pass for the store."""
        assert self.clock.at is not None
        self.clock.at += duration

    def events(self, stream: str) -> list[tuple[str, str, dict[str, Any]]]:
        """Return kind, actor and facts of every event of one stream."""
        story = AuditBook(self.store.database).story(stream)
        return [(one.record.kind, one.record.actor, dict(one.record.data)) for one in story]

    def deliveries(self) -> list[tuple[str, str | None]]:
        """Return what the audit trail says of posting cards: kind, and the reason of a failure."""
        return [(kind, data.get("reason")) for kind, _, data in self.events("delivery")]

    def live(self, place: int = -1) -> list[tuple[str, str]]:
        """Return everything that is live in a card: mentions, links, broadcasts, channel references."""
        return self.change(lambda: self.workspace.live_things(self.cards_in_now()[place]))

    def refusals(self, request: Request) -> list[tuple[str, dict[str, Any]]]:
        """Return who was refused, and the facts of it, from the audit trail."""
        found = self.events(f"request:{request.id}")
        return [(actor, data) for kind, actor, data in found if kind == "answer.refused"]

    def change(self, what: Callable[[], T]) -> T:
        """Do something to the workspace on its own loop."""
        return self.loop.do(self._call(what))

    def until(self, condition: Callable[[], object], what: str) -> None:
        """Wait for something that another thread does."""
        wait_until(condition, what=what)

    async def _call(self, what: Callable[[], T]) -> T:
        return what()

    async def _open(self) -> None:
        mode = None
        if self.over_http:
            listening = socket.socket()
            listening.bind(("127.0.0.1", 0))
            self._listening = listening
            mode = HttpMode(url=f"http://127.0.0.1:{listening.getsockname()[1]}/slack/events", signing_secret=SECRET)
        self.workspace = Workspace(self.seed, strictness=self.strictness, mode=mode)
        await self.workspace.start()
        reading = client(self.workspace.bot_token, self.workspace.api_url, timeout_seconds=20)
        self.directory = SlackDirectory(reading, team=self.seed.team_id, patience_seconds=self.patience_seconds)
        self.installed = Installed(team=self.seed.team_id, bot_id=self.seed.bot_id, bot_user=self.seed.bot_user_id)

    async def _wire(self) -> None:
        url, token = self.workspace.api_url, self.workspace.bot_token
        self.acting = Acting(
            Answers(async_client(token, url, timeout_seconds=20)), cut_off_seconds=self.cut_off_seconds
        )
        listeners = Listeners(
            installed=self.installed,
            decide=self.world.decide,
            copies=Copies(store=self.store, cards=self.cards),
            handle=Handle(store=self.store, engage=self.world.pause, resume=self.world.resume),
            directory=self.directory,
            pools=self.pools,
            acting=self.acting,
            forms=async_client(token, url, timeout_seconds=20),
        )
        bare = async_client(None, url, timeout_seconds=20)
        self.app = make_app(listeners, client=bare, token=token)
        if self.over_http:
            await self._serve()
        else:
            self.sockets = Sockets(
                self.app,
                app_token=self.workspace.app_token,
                client=bare,
                report=self.legs,
                waits=Backoff(first=0.05, most=0.2, chance=clock.chance),
                ping_seconds=0.5,
                steady_seconds=0.1,
                closing_seconds=self.closing_seconds,
            )
            await self.sockets.open()
            await self.workspace.wait_for_connections(1)

    async def _serve(self) -> None:
        self.http = SignedHttp(self.app, SECRET, seconds=time.time)
        web = Starlette(routes=[self.http.route()])
        self._server = uvicorn.Server(uvicorn.Config(web, log_level="error", lifespan="off"))
        self._serving = asyncio.create_task(self._server.serve(sockets=[self._listening]))
        while not self._server.started:  # noqa: ASYNC110 - it offers no event
            await asyncio.sleep(0.01)

    async def _close(self) -> None:
        if self.connect:
            if self._server is not None:
                self._server.should_exit = True
                await self._serving
            else:
                await self.sockets.close()
            await self.acting.close()
        await self.workspace.stop()


def unforeseen(work: str) -> None:
    """Fail the test: against the stand-in nothing comes of a message that nobody foresaw."""
    raise AssertionError(work)


def is_answerable(message: Message) -> bool:
    """Tell whether a card has buttons."""
    return any(block["type"] == "actions" for block in message.blocks)


def buttons_of(message: Message) -> list[Any]:
    """Return the buttons of a card, in order; changing one changes the card."""
    return [element for block in message.blocks if block["type"] == "actions" for element in block["elements"]]


def text_of(blocks: Any) -> str:
    """Return every text in some blocks, in order, one a line."""
    if isinstance(blocks, dict):
        own = [blocks["text"]] if isinstance(blocks.get("text"), str) else []
        return "\n".join([*own, *(inner for value in blocks.values() if (inner := text_of(value)))])
    if isinstance(blocks, list | tuple):
        return "\n".join(inner for value in blocks if (inner := text_of(value)))
    return ""
