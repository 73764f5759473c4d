"""A workspace for tests that are not asynchronous: it lives in a thread with an event loop of its own."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any, Final, TypeVar

from sandbox.workspace import Message, Outcome, Seed, Workspace

T = TypeVar("T")

CHANNEL: Final = "C0PROD"
SECONDS: Final = 20.0


class Town:
    """A running workspace, seen from another thread."""

    def __init__(self, workspace: Workspace, loop: asyncio.AbstractEventLoop) -> None:
        self._workspace = workspace
        self._loop = loop

    def see(self, look: Callable[[Workspace], T]) -> T:
        """Return what *look* sees; it runs in the workspace's own loop."""

        async def looked() -> T:
            return look(self._workspace)

        return asyncio.run_coroutine_threadsafe(looked(), self._loop).result(SECONDS)

    @property
    def page_url(self) -> str:
        """The address of the page, with its key."""
        return self._workspace.page_url

    @property
    def settings(self) -> dict[str, str]:
        """What the bot has to be told of this workspace."""
        return {
            "SLACK_API_URL": self._workspace.api_url,
            "SLACK_BOT_TOKEN": self._workspace.bot_token,
            "SLACK_APP_TOKEN": self._workspace.app_token,
        }

    def cards_of(self, escalation: str) -> list[Message]:
        """Return the cards of one escalation, oldest first: those that bear its id as their mark."""
        return [
            one for one in self.see(lambda it: it.messages(CHANNEL)) if not one.is_reply and _marked(one, escalation)
        ]

    def click(self, user: str, message: Message, action_id: str) -> Outcome:
        """Click a button of a message and return what the person sees of it."""
        clicked = self._workspace.click(user, CHANNEL, message.ts, action_id)
        return asyncio.run_coroutine_threadsafe(clicked, self._loop).result(SECONDS)

    def commands(self, user: str, text: str) -> Outcome:
        """Run ``/agent-pause`` with *text* in the channel and return what the person sees of it."""
        run = self._workspace.run_command(user, CHANNEL, "/agent-pause", text)
        return asyncio.run_coroutine_threadsafe(run, self._loop).result(SECONDS)

    def notes_of(self, user: str) -> int:
        """Return how many private notes a person has got."""
        return self.see(lambda it: len(it.ephemerals(user)))

    def trail_of(self, card: Message) -> str:
        """Return what stands in a card's thread."""
        return "\n".join(one.text for one in self.see(lambda it: it.thread(CHANNEL, card.ts)))


def _marked(message: Message, escalation: str) -> bool:
    marks: list[Any] = [block for block in message.blocks if str(block.get("block_id", "")).startswith("mark:")]
    return any(escalation in str(mark) for mark in marks)


@contextmanager
def a_town(seed: Seed | None = None) -> Iterator[Town]:
    """Give a workspace for the length of the block."""
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever, name="workspace")
    thread.start()
    workspace = Workspace(seed)
    try:
        asyncio.run_coroutine_threadsafe(workspace.start(), loop).result(SECONDS)
        try:
            yield Town(workspace, loop)
        finally:
            asyncio.run_coroutine_threadsafe(workspace.stop(), loop).result(SECONDS)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
