"""The workspace as it is now: people, groups, channels, messages, private notes, open views.

Only facts and who may see them; what the app may do is :mod:`sandbox.workspace.webapi`.
Every change is told to the :class:`~sandbox.workspace.feed.Feed`. Histories are
bounded: the oldest message of a channel is dropped when a new one does not fit.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from sandbox.workspace.feed import Change, Feed
from sandbox.workspace.records import Ephemeral, Message, View
from sandbox.workspace.seed import Channel, Seed, User, UserGroup

EPHEMERALS_MOST = 200


@dataclass(slots=True, kw_only=True)
class Room:
    """A channel with what was said in it, oldest first."""

    channel: Channel
    members: set[str]
    bot_is_member: bool
    messages: dict[str, Message] = field(default_factory=dict)
    direct_to: str = ""


class Store:
    """Holds the facts; raises KeyError where the caller names somebody or something that does not exist."""

    def __init__(self, seed: Seed, feed: Feed, *, history: int) -> None:
        self._seed = seed
        self._feed = feed
        self._history = history
        self.users: dict[str, User] = {
            user.id: user if user.team_id else replace(user, team_id=seed.team_id) for user in seed.users
        }
        self.users[seed.bot_user_id] = User(
            id=seed.bot_user_id, name=seed.bot_name, real_name=seed.bot_real_name, team_id=seed.team_id, is_bot=True
        )
        self.groups: dict[str, UserGroup] = {group.id: group for group in seed.groups}
        self.rooms: dict[str, Room] = {
            channel.id: Room(channel=channel, members=set(channel.members), bot_is_member=channel.bot_is_member)
            for channel in seed.channels
        }
        self.ephemerals: dict[str, deque[Ephemeral]] = {}
        self.views: dict[str, View] = {}

    # Who sees what.

    def sees(self, user: str, channel: str) -> bool:
        """Tell whether *user* can open *channel*: members, and for a public one every full member of the team."""
        room = self.rooms.get(channel)
        person = self.users.get(user)
        if room is None or person is None:
            return False
        if user in room.members:
            return True
        outside = self._seed.team_id not in (person.team_id, *person.teams)
        guest = person.is_restricted or person.is_ultra_restricted or outside
        return not room.channel.private and not room.direct_to and not guest

    def is_shared(self, channel: str) -> bool:
        """Tell whether people of another company are in *channel*."""
        return any(self.users[member].is_stranger for member in self.rooms[channel].members)

    def rooms_of(self, user: str) -> Iterator[Room]:
        """Yield the channels *user* can open, in the order of the seed."""
        return (room for room in self.rooms.values() if self.sees(user, room.channel.id))

    def direct_room(self, user: str) -> Room:
        """Return the direct conversation between the app and *user*, opened when there is none."""
        channel_id = "D" + user[1:]
        if channel_id not in self.rooms:
            channel = Channel(id=channel_id, name=self.users[user].name, members=(user,), private=True)
            self.rooms[channel_id] = Room(channel=channel, members={user}, bot_is_member=True, direct_to=user)
            self._feed.publish(Change(kind="people"))
        return self.rooms[channel_id]

    # Messages.

    def message(self, channel: str, ts: str) -> Message | None:
        """Return a message, or None when it is gone or never was."""
        room = self.rooms.get(channel)
        return None if room is None else room.messages.get(ts)

    def put_message(self, message: Message) -> None:
        """Add a message or tell of its change; drop the channel's oldest when it is full."""
        messages = self.rooms[message.channel].messages
        messages[message.ts] = message
        while len(messages) > self._history:
            self.delete_message(message.channel, next(iter(messages)))
        self._tell(Change(kind="message", record=message), message.channel)

    def delete_message(self, channel: str, ts: str) -> None:
        """Remove a message; its replies stay, as on Slack."""
        message = self.rooms[channel].messages.pop(ts)
        self._tell(Change(kind="message_deleted", record=message), channel)

    def put_ephemeral(self, note: Ephemeral) -> None:
        """Show a note to its addressee, in place of the one with the same ts if there is one."""
        notes = self.ephemerals.setdefault(note.user, deque(maxlen=EPHEMERALS_MOST))
        for index, known in enumerate(notes):
            if known.ts == note.ts:
                notes[index] = note
                break
        else:
            notes.append(note)
        self._feed.publish(Change(kind="ephemeral", record=note), to=lambda viewer: viewer == note.user)

    def ephemeral(self, user: str, ts: str) -> Ephemeral | None:
        """Return a note that *user* still sees, or None."""
        return next((note for note in self.ephemerals.get(user, ()) if note.ts == ts), None)

    def delete_ephemeral(self, user: str, ts: str) -> None:
        """Remove a note from its addressee's page."""
        note = self.ephemeral(user, ts)
        if note is not None:
            self.ephemerals[user].remove(note)
            self._feed.publish(Change(kind="ephemeral_deleted", record=note), to=lambda viewer: viewer == user)

    # Views: one open modal a person.

    def put_view(self, view: View) -> None:
        """Open a view for its user, or tell of its change."""
        self.views[view.user] = view
        self._feed.publish(Change(kind="view", record=view), to=lambda viewer: viewer == view.user)

    def close_view(self, user: str) -> None:
        """Close what is open for *user*, if anything."""
        view = self.views.pop(user, None)
        if view is not None:
            self._feed.publish(Change(kind="view_closed", record=view), to=lambda viewer: viewer == user)

    # People.

    def change_user(self, user: User) -> None:
        """Put *user* in the place of the account with the same id."""
        self.users[user.id] = user
        self._feed.publish(Change(kind="people"))

    def change_group(
        self, group_id: str, *, members: Iterable[str] | None = None, disabled: bool | None = None
    ) -> None:
        """Change who is in a group, or whether it is disabled."""
        group = self.groups[group_id]
        if members is not None:
            group = replace(group, members=tuple(members))
        if disabled is not None:
            group = replace(group, disabled=disabled)
        self.groups[group_id] = group
        self._feed.publish(Change(kind="people"))

    def change_members(self, channel: str, *, members: Iterable[str] | None = None, bot: bool | None = None) -> None:
        """Change who is in a channel, or whether the app is."""
        room = self.rooms[channel]
        if members is not None:
            room.members = {self.users[member].id for member in members}
        if bot is not None:
            room.bot_is_member = bot
        self._feed.publish(Change(kind="people"))

    def _tell(self, change: Change, channel: str) -> None:
        self._feed.publish(change, to=lambda viewer: self.sees(viewer, channel))
