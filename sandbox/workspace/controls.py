"""The controls of the workspace: what tests and the demo do in the place of people, administrators and Slack.

Methods only, none of them reachable over HTTP. :class:`~sandbox.workspace.server.Workspace`
has them all. They must be called from the event loop that started the workspace.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TypeVar

from sandbox.workspace.core import Call, Core
from sandbox.workspace.desk import Desk
from sandbox.workspace.faults import Faults
from sandbox.workspace.feed import Change
from sandbox.workspace.jsontypes import JsonObject
from sandbox.workspace.page.drawing import live_things
from sandbox.workspace.records import Ephemeral, Message, Outcome, View
from sandbox.workspace.transport.events import Events
from sandbox.workspace.transport.signed_http import SignedHttp
from sandbox.workspace.transport.sockets import SocketHub

T = TypeVar("T")


class Controls:
    """Everything that can be done to and seen of a running workspace."""

    def __init__(self, core: Core, *, desk: Desk, hub: SocketHub, http: SignedHttp | None, events: Events) -> None:
        self._core = core
        self._desk = desk
        self._hub = hub
        self._http = http
        self._events = events

    # What people do.

    async def click(self, user: str, channel: str, ts: str, action_id: str, *, chosen: str | None = None) -> Outcome:
        """Use a button or select of a message; see :meth:`~sandbox.workspace.desk.Desk.click`."""
        return await self._desk.click(user, channel, ts, action_id, chosen=chosen)

    async def click_in_view(self, user: str, action_id: str, *, values: JsonObject | None = None) -> Outcome:
        """Use a button inside the open modal of *user*."""
        return await self._desk.click_in_view(user, action_id, values=values)

    async def submit_view(self, user: str, values: JsonObject) -> Outcome:
        """Submit the open modal of *user*; *values* are texts by block_id, then action_id."""
        return await self._desk.submit_view(user, values)

    async def close_view(self, user: str) -> Outcome:
        """Close the open modal of *user*."""
        return await self._desk.close_view(user)

    async def run_command(self, user: str, channel: str, command: str, text: str = "") -> Outcome:
        """Run a slash command as *user* in *channel*."""
        return await self._desk.run_command(user, channel, command, text)

    def say(self, user: str, channel: str, text: str, *, thread_ts: str | None = None) -> Message:
        """Post what a person typed."""
        return self._desk.say(user, channel, text, thread_ts=thread_ts)

    # What administrators do, and what happens to Slack.

    def set_group_members(self, group: str, members: Iterable[str]) -> asyncio.Task[bool]:
        """Change who is in a user group; return the delivery of ``subteam_members_changed``."""
        before = set(self._core.store.groups[group].members)
        after = list(members)
        self._core.store.change_group(group, members=after)
        added, removed = sorted(set(after) - before), sorted(before - set(after))
        return self._events.send(
            {
                "type": "subteam_members_changed",
                "subteam_id": group,
                "team_id": self._core.seed.team_id,
                "date_previous_update": int(self._core.now()),
                "date_update": int(self._core.now()),
                "added_users": added,
                "added_users_count": len(added),
                "removed_users": removed,
                "removed_users_count": len(removed),
            }
        )

    def disable_group(self, group: str, *, disabled: bool = True) -> None:
        """Disable a user group or enable it again; the app is not told."""
        self._core.store.change_group(group, disabled=disabled)

    def deactivate_user(self, user: str) -> None:
        """Deactivate an account. The person's open page still works for a while, as on Slack."""
        self.change_user(user, deleted=True)

    def change_user(self, user: str, **flags: bool | str) -> None:
        """Change fields of an account, such as ``is_restricted=True``."""
        self._core.store.change_user(replace(self._core.store.users[user], **flags))  # type: ignore[arg-type]

    def set_channel_members(self, channel: str, members: Iterable[str]) -> None:
        """Change which people are in a channel."""
        self._core.store.change_members(channel, members=members)

    def invite_bot(self, channel: str, *, member: bool = True) -> None:
        """Invite the app to a channel, or remove it."""
        self._core.store.change_members(channel, bot=member)

    def delete_message(self, channel: str, ts: str) -> None:
        """Delete a message, as its reader or a retention rule may."""
        self._core.store.delete_message(channel, ts)

    @property
    def faults(self) -> Faults:
        """The faults in force, to be changed by tests: errors, slow and lost replies."""
        return self._core.faults

    def set_outage(self, *, on: bool) -> None:
        """Take Slack down, connections included, or bring it back."""
        self._core.faults.outage = on
        if on:
            self._hub.drop()

    def drop_sockets(self) -> None:
        """Cut every Socket Mode connection without a word."""
        self._hub.drop()

    async def refresh_sockets(self, reason: str = "refresh_requested") -> None:
        """Tell every Socket Mode connection to go, as Slack does every few hours."""
        await self._hub.refresh(reason)

    async def wait_for_connections(self, count: int = 1, *, seconds: float = 10.0) -> None:
        """Return as soon as the app holds *count* connections; TimeoutError when it does not in time."""
        await self._hub.wait_for_connections(count, seconds=seconds)

    async def verify_url(self) -> bool:
        """In HTTP mode, tell whether the app's address answers Slack's challenge."""
        return self._http is not None and await self._http.verify_url()

    # What can be seen.

    def messages(self, channel: str) -> list[Message]:
        """Return the messages of a channel, replies included, oldest first."""
        return list(self._core.store.rooms[channel].messages.values())

    def thread(self, channel: str, ts: str) -> list[Message]:
        """Return the replies in a thread, oldest first."""
        return [message for message in self.messages(channel) if message.is_reply and message.thread_ts == ts]

    def live_things(self, message: Message | Ephemeral) -> list[tuple[str, str]]:
        """Return every mention, broadcast, channel reference and link that is live in a message."""
        return live_things(message, self._core.strictness)

    def ephemerals(self, user: str) -> list[Ephemeral]:
        """Return the private notes that *user* sees, oldest first."""
        return list(self._core.store.ephemerals.get(user, ()))

    def open_view(self, user: str) -> View | None:
        """Return the modal that is open for *user*."""
        return self._core.store.views.get(user)

    @property
    def calls(self) -> list[Call]:
        """The latest Web API calls, oldest first."""
        return list(self._core.calls)

    async def wait_for_message(
        self, channel: str, matches: Callable[[Message], bool] = lambda _message: True, *, seconds: float = 5.0
    ) -> Message:
        """Return the first message of *channel* that *matches*, now or soon.

        Raises:
            TimeoutError: None did within *seconds*.
        """
        return await self._soon(lambda: next(filter(matches, self.messages(channel)), None), seconds)

    async def next_ephemeral(self, user: str, *, seconds: float = 5.0) -> Ephemeral:
        """Take the oldest private note off the page of *user*, now or as soon as there is one.

        Raises:
            TimeoutError: None came within *seconds*.
        """
        note = await self._soon(lambda: next(iter(self.ephemerals(user)), None), seconds)
        self._core.store.delete_ephemeral(user, note.ts)
        return note

    async def wait_for_view(self, user: str, *, seconds: float = 5.0) -> View:
        """Return the modal open for *user*, now or soon; TimeoutError when none opens in time."""
        return await self._soon(lambda: self.open_view(user), seconds)

    def set_status_line(self, name: str, text: str) -> None:
        """Show *text* beside *name* on the page's side panel; an empty text removes the line."""
        self._core.status_lines[name] = text
        if not text:
            del self._core.status_lines[name]
        self._core.feed.publish(Change(kind="status"))

    async def _soon(self, look: Callable[[], T | None], seconds: float) -> T:
        async with asyncio.timeout(seconds):
            while True:
                found = look()
                if found is not None:
                    return found
                await self._core.feed.next_change()
