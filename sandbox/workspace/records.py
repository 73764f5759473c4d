"""What the workspace holds while it runs: messages, private notes to one person, open views.

``as_slack`` methods give the shape that Slack's API and payloads use.
"""

from dataclasses import dataclass, field

from sandbox.workspace.jsontypes import JsonObject


@dataclass(slots=True, kw_only=True)
class Message:
    """One message in a channel.

    *bot_id* is empty when a person wrote it. *names_live* says that its text was
    sent in a way that turns a bare ``@here`` or ``#channel`` into the live thing.
    """

    channel: str
    ts: str
    user: str
    text: str
    blocks: list[JsonObject] = field(default_factory=list)
    bot_id: str = ""
    app_id: str = ""
    team: str = ""
    thread_ts: str | None = None
    broadcast: bool = False
    edited_ts: str | None = None
    metadata: JsonObject | None = None
    names_live: bool = False

    @property
    def is_reply(self) -> bool:
        """Tell whether it belongs to another message's thread."""
        return self.thread_ts is not None and self.thread_ts != self.ts

    def as_slack(self) -> JsonObject:
        """Return the message object."""
        made: JsonObject = {"type": "message", "user": self.user, "ts": self.ts, "text": self.text, "team": self.team}
        if self.bot_id:
            made |= {"bot_id": self.bot_id, "app_id": self.app_id}
        if self.blocks:
            made["blocks"] = self.blocks
        if self.thread_ts is not None:
            made["thread_ts"] = self.thread_ts
        if self.edited_ts is not None:
            made["edited"] = {"user": self.user, "ts": self.edited_ts}
        if self.metadata is not None:
            made["metadata"] = self.metadata
        return made


@dataclass(slots=True, kw_only=True)
class Ephemeral:
    """A message only *user* sees.

    Slack forgets these when a person reloads; the stand-in keeps the latest, so
    that acting as somebody else and back does not lose an answer.
    """

    channel: str
    ts: str
    user: str
    text: str
    blocks: list[JsonObject] = field(default_factory=list)
    thread_ts: str | None = None

    def as_slack(self) -> JsonObject:
        """Return the message object that a payload from it carries."""
        made: JsonObject = {"type": "message", "ts": self.ts, "text": self.text, "is_ephemeral": True}
        if self.blocks:
            made["blocks"] = self.blocks
        return made


@dataclass(slots=True, kw_only=True)
class View:
    """A modal that is open for *user*. *hash* changes with every update, so that a late one can be refused."""

    id: str
    user: str
    content: JsonObject
    hash: str
    app_id: str
    bot_id: str
    team_id: str

    def as_slack(self, values: JsonObject | None = None) -> JsonObject:
        """Return the view object, with the *values* of its inputs where a payload needs them."""
        return {
            "id": self.id,
            "team_id": self.team_id,
            "type": "modal",
            "blocks": self.content["blocks"],
            "title": self.content["title"],
            "submit": self.content.get("submit"),
            "close": self.content.get("close"),
            "private_metadata": self.content.get("private_metadata", ""),
            "callback_id": self.content.get("callback_id", ""),
            "external_id": self.content.get("external_id", ""),
            "clear_on_close": self.content.get("clear_on_close", False),
            "notify_on_close": self.content.get("notify_on_close", False),
            "state": {"values": values or {}},
            "hash": self.hash,
            "previous_view_id": None,
            "root_view_id": self.id,
            "app_id": self.app_id,
            "app_installed_team_id": self.team_id,
            "bot_id": self.bot_id,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a person sees of something they did.

    Attributes:
        acked: The app acknowledged in time.
        error: What the person is told went wrong, else None.
        field_errors: Messages under the inputs of a modal, by block_id.
        seconds: From the act to the acknowledgement, or to giving up.
        response: What the app answered with its acknowledgement, if anything.
    """

    acked: bool
    error: str | None = None
    field_errors: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    response: JsonObject | None = None
