"""The workspace itself: puts the parts together, serves them on loopback, and offers the controls.

Used by the demo and by tests, from the event loop that started it. The controls
are methods of this object only; over HTTP there is the Web API for the app and,
for whoever holds the page's key, what the page needs.
"""

import time
from collections.abc import Callable
from dataclasses import replace

from sandbox.workspace.controls import Controls
from sandbox.workspace.core import Core, Tokens
from sandbox.workspace.desk import Desk
from sandbox.workspace.listener import Listener
from sandbox.workspace.replies import Replies
from sandbox.workspace.seed import Seed, default_seed
from sandbox.workspace.strictness import Strictness
from sandbox.workspace.transport.events import Events
from sandbox.workspace.transport.parcels import HttpMode, SocketMode
from sandbox.workspace.transport.signed_http import SignedHttp
from sandbox.workspace.transport.sockets import SocketHub

_HISTORY = 500


class Workspace(Controls):
    """A stand-in for a Slack workspace with one app installed.

    Args:
        seed: Who and what exists; the small company of :func:`~sandbox.workspace.seed.default_seed` if left out.
        strictness: Which of Slack's rules hold; all of them if left out.
        mode: How the app is reached.
        port: TCP port on 127.0.0.1; 0 takes a free one.
        now: Seconds since the epoch; drives timestamps, rates, and the lives of triggers and response URLs.
        history: Messages kept in each channel.
    """

    def __init__(
        self,
        seed: Seed | None = None,
        strictness: Strictness | None = None,
        *,
        mode: SocketMode | HttpMode | None = None,
        port: int = 0,
        now: Callable[[], float] = time.time,
        history: int = _HISTORY,
    ) -> None:
        mode = mode or SocketMode()
        tokens = Tokens()
        if isinstance(mode, HttpMode) and mode.signing_secret:
            tokens = replace(tokens, signing_secret=mode.signing_secret)
        core = Core(
            seed=seed or default_seed(), strictness=strictness or Strictness(), tokens=tokens, now=now, history=history
        )
        hub = SocketHub(core)
        http = SignedHttp(core, mode.url, tokens.signing_secret) if isinstance(mode, HttpMode) else None
        replies = Replies(core)
        desk = Desk(core, http or hub, replies)
        super().__init__(core, desk=desk, hub=hub, http=http, events=Events(core, http or hub))
        self._listener = Listener(core, hub=hub, desk=desk, replies=replies, port=port)

    async def start(self) -> None:
        """Listen on 127.0.0.1.

        Raises:
            OSError: The port is taken.
        """
        await self._listener.start()

    async def stop(self) -> None:
        """Stop delivering and listening; everything that was said is gone."""
        await self._events.close()
        self._core.feed.end()
        await self._hub.close()
        if self._http is not None:
            await self._http.close()
        await self._listener.stop()

    # Addresses and credentials, all new in every run.

    @property
    def seed(self) -> Seed:
        """Who and what existed at the start."""
        return self._core.seed

    @property
    def api_url(self) -> str:
        """Base address of the Web API; ends in ``/api/``."""
        return f"{self._core.origin}/api/"

    @property
    def page_url(self) -> str:
        """Address of the page, with this run's key; whoever has it can act for everybody here."""
        return f"{self._core.origin}/?key={self._core.tokens.page_key}"

    @property
    def bot_token(self) -> str:
        """The app's ``xoxb-`` token."""
        return self._core.tokens.bot

    @property
    def app_token(self) -> str:
        """The app's ``xapp-`` token, for Socket Mode."""
        return self._core.tokens.app

    @property
    def signing_secret(self) -> str:
        """What HTTP deliveries are signed with."""
        return self._core.tokens.signing_secret
