"""The approvers' door, put together: what Slack brings in, over Socket Mode or signed HTTP, once it is known who we are there."""

from collections.abc import Callable
from dataclasses import dataclass

from bot import clock
from bot.runtime.pools import Pools
from bot.settings import SlackSettings, Transport
from bot.slack.inbound.acting import Acting
from bot.slack.inbound.answers import Answers
from bot.slack.inbound.commands import Handle
from bot.slack.inbound.copies import Copies
from bot.slack.inbound.door import App, make_app
from bot.slack.inbound.listeners import Listeners
from bot.slack.inbound.opening import Opening
from bot.slack.inbound.signed_http import SignedHttp
from bot.slack.inbound.sockets import Sockets
from bot.slack.workspace.clients import ASKING_SECONDS, POSTING_SECONDS, async_client
from bot.slack.workspace.pin import Installed
from bot.wiring.parts import Parts
from models.outbox.cards import Cards


@dataclass(frozen=True, slots=True, kw_only=True)
class ApproversDoor:
    """Makes the opening through which people's clicks and commands come."""

    parts: Parts
    pools: Pools
    cards: Cards
    installed: Callable[[], Installed | None]
    """Who we are in the workspace; None while Slack has not said."""

    @property
    def _slack(self) -> SlackSettings:
        return self.parts.required_slack()

    def opening(self) -> Opening:
        """Return it, still closed."""
        is_http = self._slack.transport is Transport.HTTP
        return Opening(
            installed=self.installed,
            build=self._door,
            sockets=None if is_http else self._sockets,
            signed=self._signed if is_http else None,
            legs=self.parts.legs,
        )

    def _door(self, installed: Installed) -> App:
        self.parts.slack_directory.belongs_to(installed.team)
        return make_app(
            self._listeners(installed),
            client=async_client(None, self._slack.api_url, timeout_seconds=ASKING_SECONDS),
            token=self._slack.bot_token,
        )

    def _signed(self, app: App) -> SignedHttp:
        return SignedHttp(app, self._slack.signing_secret or "", seconds=clock.seconds)

    def _listeners(self, installed: Installed) -> Listeners:
        answering = async_client(self._slack.bot_token, self._slack.api_url, timeout_seconds=ASKING_SECONDS)
        use_cases, store = self.parts.use_cases, self.parts.store
        return Listeners(
            installed=installed,
            decide=use_cases.decide,
            copies=Copies(store=store, cards=self.cards),
            handle=Handle(store=store, engage=use_cases.engage_pause, resume=use_cases.resume),
            directory=self.parts.slack_directory,
            pools=self.pools,
            acting=Acting(Answers(answering)),
            forms=answering,
        )

    def _sockets(self, app: App) -> Sockets:
        web = async_client(None, self._slack.api_url, timeout_seconds=POSTING_SECONDS)
        return Sockets(app, app_token=self._slack.app_token or "", client=web, report=self.parts.legs)
