"""What people do: click, submit or close a modal, run a command, say something.

Each act becomes a payload, is delivered, and ends in an
:class:`~sandbox.workspace.records.Outcome` that the person is shown. An app
that does not acknowledge in time has failed as far as the person can tell,
whatever it still does afterwards.
"""

import re

from sandbox.workspace import modal_state, payloads
from sandbox.workspace.core import Core
from sandbox.workspace.jsontypes import JsonObject
from sandbox.workspace.kit.rules import elements_of, every_block
from sandbox.workspace.records import Ephemeral, Message, Outcome, View
from sandbox.workspace.replies import Replies
from sandbox.workspace.tickets import ResponseUrl
from sandbox.workspace.transport.parcels import Ack, Parcel, Transport
from sandbox.workspace.webapi.calls import Refused
from sandbox.workspace.webapi.views import read_view, replace_content

NOT_ANSWERED = "The app did not answer within {seconds:g} seconds. Nothing tells whether it acted."
ANSWERED_BADLY = "The app answered with an error. Nothing tells whether it acted."
NOT_CONNECTED = "The app is not connected, so nothing happened."
BAD_ANSWER = "The app's answer could not be shown: {error}."


class NotThere(Exception):
    """The person cannot do that: the message, button, channel or modal is not on their page."""


class Desk:
    """Acts for people."""

    def __init__(self, core: Core, transport: Transport, replies: Replies) -> None:
        self._core = core
        self._transport = transport
        self._replies = replies

    async def click(self, user: str, channel: str, ts: str, action_id: str, *, chosen: str | None = None) -> Outcome:
        """Use a button or select in a message or private note.

        Raises:
            NotThere: It is not on this person's page.
        """
        record = self._record(user, channel, ts)
        block, element = _find(record.blocks, action_id)
        if user not in element.get("visible_to_user_ids", [user]):
            raise NotThere(f"{action_id} is not shown to {user}.")
        token = self._core.tickets.issue_url(
            user=user,
            channel=channel,
            ts=ts,
            ephemeral=isinstance(record, Ephemeral),
            thread_ts=record.thread_ts,
        )
        payload = payloads.click_on_message(
            self._core,
            user=user,
            record=record,
            action=payloads.action_of(self._core, element, block["block_id"], chosen),
            trigger_id=self._core.tickets.issue_trigger(user),
            response_url=self._url(token),
        )
        return self._outcome(await self._transport.deliver(Parcel(kind="interactive", payload=payload)))

    async def click_in_view(
        self, user: str, action_id: str, *, values: JsonObject | None = None, chosen: str | None = None
    ) -> Outcome:
        """Use a button or select inside this person's open modal."""
        view = self._view(user)
        block, element = _find(view.content["blocks"], action_id)
        payload = payloads.click_in_view(
            self._core,
            user=user,
            view=view,
            values=modal_state.state(view, modal_state.filled(view, values or {})),
            action=payloads.action_of(self._core, element, block["block_id"], chosen),
            trigger_id=self._core.tickets.issue_trigger(user),
        )
        return self._outcome(await self._transport.deliver(Parcel(kind="interactive", payload=payload)))

    async def submit_view(self, user: str, values: JsonObject) -> Outcome:
        """Submit this person's open modal; *values* are texts by block_id, then action_id."""
        view = self._view(user)
        given = modal_state.filled(view, values)
        if missing := modal_state.problems(view, given):
            return Outcome(acked=False, error="Some fields need your attention.", field_errors=missing)
        payload = payloads.view_submission(
            self._core,
            view=view,
            values=modal_state.state(view, given),
            trigger_id=self._core.tickets.issue_trigger(user),
        )
        ack = await self._transport.deliver(Parcel(kind="interactive", payload=payload, accepts_response=True))
        outcome = self._outcome(ack)
        return self._answer_in_view(view, outcome) if outcome.acked else outcome

    async def close_view(self, user: str) -> Outcome:
        """Close this person's open modal; the app hears of it only where it asked to."""
        view = self._view(user)
        self._core.store.close_view(user)
        if not view.content.get("notify_on_close"):
            return Outcome(acked=True)
        payload = payloads.view_closed(self._core, view=view, cleared=False)
        return self._outcome(await self._transport.deliver(Parcel(kind="interactive", payload=payload)))

    async def run_command(self, user: str, channel: str, command: str, text: str = "") -> Outcome:
        """Run a slash command, which people of other companies cannot."""
        room = self._core.store.rooms.get(channel)
        person = self._core.store.users[user]
        if room is None or not self._core.store.sees(user, channel):
            raise NotThere(f"{user} cannot open {channel}.")
        known = {each.name for each in self._core.seed.commands}
        allowed = "commands" in self._core.seed.bot_scopes or not self._core.strictness.scopes
        if command not in known or not allowed or self._core.seed.team_id not in (person.team_id, *person.teams):
            return Outcome(acked=False, error=f"{command} is not a command that you can use here.")
        token = self._core.tickets.issue_url(user=user, channel=channel, ts=None)
        payload = payloads.slash_command(
            self._core,
            user=user,
            room=room,
            command=command,
            text=self._escaped(text),
            trigger_id=self._core.tickets.issue_trigger(user),
            response_url=self._url(token),
        )
        ack = await self._transport.deliver(Parcel(kind="slash_commands", payload=payload, accepts_response=True))
        outcome = self._outcome(ack)
        if not outcome.response:
            return outcome
        return self._answer_command(user, channel, outcome)

    def say(self, user: str, channel: str, text: str, *, thread_ts: str | None = None) -> Message:
        """Post what a person typed; the app asked for no message events, so it is not told."""
        if not self._core.store.sees(user, channel):
            raise NotThere(f"{user} cannot open {channel}.")
        person = self._core.store.users[user]
        message = Message(
            channel=channel,
            ts=self._core.timestamps.next(),
            user=user,
            text=self._escaped(text),
            team=person.team_id,
            thread_ts=thread_ts,
        )
        self._core.store.put_message(message)
        return message

    def _record(self, user: str, channel: str, ts: str) -> Message | Ephemeral:
        note = self._core.store.ephemeral(user, ts)
        if note is not None and note.channel == channel:
            return note
        message = self._core.store.message(channel, ts)
        if message is None or not self._core.store.sees(user, channel):
            raise NotThere("That message is no longer there.")
        return message

    def _view(self, user: str) -> View:
        view = self._core.store.views.get(user)
        if view is None:
            raise NotThere("That dialog is no longer open.")
        return view

    def _url(self, token: str) -> str:
        return f"{self._core.origin}/actions/{token}"

    def _outcome(self, ack: Ack) -> Outcome:
        if ack.answered:
            return Outcome(acked=True, seconds=ack.seconds, response=ack.payload)
        told = {
            "timeout": NOT_ANSWERED.format(seconds=self._core.strictness.ack_seconds),
            "http_error": ANSWERED_BADLY,
        }.get(ack.failure, NOT_CONNECTED)
        return Outcome(acked=False, error=told, seconds=ack.seconds)

    def _answer_in_view(self, view: View, outcome: Outcome) -> Outcome:
        answer = outcome.response or {}
        action = answer.get("response_action")
        if action is None or action == "clear":
            if self._core.store.views.get(view.user) is view:
                self._core.store.close_view(view.user)
            return outcome
        if action == "errors":
            return self._field_errors(view, outcome, answer.get("errors"))
        if action == "update":
            try:
                replace_content(self._core, view, read_view(self._core, answer))
            except Refused as refused:
                return _unusable(outcome, refused)
            return outcome
        return _unusable(outcome, Refused(f"response_action {action} is not offered"))

    def _field_errors(self, view: View, outcome: Outcome, errors: object) -> Outcome:
        if not isinstance(errors, dict) or not errors or not set(errors) <= modal_state.input_ids(view):
            return _unusable(outcome, Refused("errors must name input blocks"))
        told = {block_id: str(text) for block_id, text in errors.items()}
        return Outcome(acked=True, field_errors=told, seconds=outcome.seconds, response=outcome.response)

    def _answer_command(self, user: str, channel: str, outcome: Outcome) -> Outcome:
        url = ResponseUrl(
            user=user, channel=channel, ts=None, ephemeral=False, thread_ts=None, issued_at=self._core.now()
        )
        try:
            self._replies.apply(url, outcome.response or {})
        except Refused as refused:
            return _unusable(outcome, refused)
        return outcome

    def _escaped(self, text: str) -> str:
        """Escape what a person typed and turn the names they mention into ids, as Slack does for the app."""
        made = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        names = {f"@{user.name}": f"<@{user.id}|{user.name}>" for user in self._core.store.users.values()}
        names |= {f"@{group.handle}": f"<!subteam^{group.id}>" for group in self._core.store.groups.values()}
        for room in self._core.store.rooms.values():
            if not room.direct_to:
                names[f"#{room.channel.name}"] = f"<#{room.channel.id}|{room.channel.name}>"
        return re.sub(r"(?<!\S)[@#][\w.-]+", lambda found: names.get(found[0], found[0]), made)


def _find(blocks: list[JsonObject], action_id: str) -> tuple[JsonObject, JsonObject]:
    for block in every_block(blocks):
        for element in elements_of(block):
            if element["action_id"] == action_id:
                return block, element
    raise NotThere(f"{action_id} is no longer there.")


def _unusable(outcome: Outcome, refused: Refused) -> Outcome:
    told = BAD_ANSWER.format(error="; ".join([refused.error, *refused.messages]))
    return Outcome(acked=False, error=told, seconds=outcome.seconds, response=outcome.response)
