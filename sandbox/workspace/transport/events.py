"""Events: delivered in the background, and tried again while the app does not acknowledge."""

import asyncio

from sandbox.workspace.core import Core
from sandbox.workspace.ids import opaque
from sandbox.workspace.jsontypes import JsonObject
from sandbox.workspace.transport.parcels import Parcel, Transport

# What Slack's retry header says for each way an attempt can fail.
_REASONS = {"timeout": "http_timeout", "connection_failed": "connection_failed", "no_connection": "connection_failed"}


class Events:
    """Sends events and keeps trying, at most as often as the rules say."""

    def __init__(self, core: Core, transport: Transport) -> None:
        self._core = core
        self._transport = transport
        self._running: set[asyncio.Task[bool]] = set()

    def send(self, event: JsonObject) -> asyncio.Task[bool]:
        """Start to deliver *event*; the task's result tells whether it was acknowledged in the end."""
        task = asyncio.create_task(self._deliver(self._callback(event)))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def close(self) -> None:
        """Give up what is still being tried."""
        for task in tuple(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _deliver(self, payload: JsonObject) -> bool:
        reason = ""
        for attempt, pause in enumerate((0.0, *self._core.strictness.event_retry_seconds)):
            await asyncio.sleep(pause)
            parcel = Parcel(kind="events_api", payload=payload, retry=attempt, retry_reason=reason)
            ack = await self._transport.deliver(parcel)
            if ack.answered:
                return True
            if ack.no_retry:
                return False
            reason = _REASONS.get(ack.failure, "http_error")
        return False

    def _callback(self, event: JsonObject) -> JsonObject:
        seed = self._core.seed
        return {
            "token": self._core.tokens.verification,
            "team_id": seed.team_id,
            "api_app_id": seed.app_id,
            "event": {**event, "event_ts": self._core.timestamps.next()},
            "type": "event_callback",
            "event_id": opaque("Ev", size=5),
            "event_time": int(self._core.now()),
            "authorizations": [
                {
                    "enterprise_id": None,
                    "team_id": seed.team_id,
                    "user_id": seed.bot_user_id,
                    "is_bot": True,
                    "is_enterprise_install": False,
                }
            ],
            "is_ext_shared_channel": False,
        }
