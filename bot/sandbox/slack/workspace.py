"""The state of one Slack workspace: people, channels, messages, views and the journal of calls. No HTTP.

Every method that changes something notifies `changes`; after setting a field directly, call `touch()`.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from bot.sandbox.slack.changes import Changes
from bot.sandbox.slack.model import Channel, Message, User, UserGroup
from bot.sandbox.slack.views import ResponseUrls, Triggers, View, ViewStore
from bot.sandbox.slack.wire import Json, SlackError, SlackIds, Timestamps

_T = TypeVar("_T")

BOT_SCOPES = frozenset(
    {
        "app_mentions:read",
        "channels:history",
        "channels:join",
        "channels:read",
        "chat:write",
        "commands",
        "groups:history",
        "groups:read",
        "im:write",
        "usergroups:read",
        "users:read",
        "users:read.email",
    }
)


@dataclass(frozen=True, slots=True)
class ApiCall:
    """One call of the Web API or of a response URL, for the journal; `args` contains no token."""

    method: str
    args: Json
    status: int
    """The HTTP status of the answer; 0 when the connection was dropped."""
    error: str | None
    at: float = field(default_factory=time.time)


class Workspace:
    """Everything Slack stores. `clock` (monotonic seconds) expires trigger ids and response URLs."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.team_id = "T0SANDBOX"
        self.team_name = "Sandbox"
        self.domain = "sandbox"
        self.app_id = "A0SANDBOX"
        self.scopes = set(BOT_SCOPES)
        self.ids = SlackIds()
        self.changes = Changes()
        self.users: dict[str, User] = {}
        self.groups: dict[str, UserGroup] = {}
        self.channels: dict[str, Channel] = {}
        self.ephemerals: list[Message] = []
        self.journal: list[ApiCall] = []
        self.unexpected: list[str] = []
        self.views = ViewStore(self.ids)
        self.triggers = Triggers(clock)
        self.response_urls = ResponseUrls(clock)
        self._timestamps = Timestamps()
        self.bot = self.add_user("apv-bot", "APV Bot", is_bot=True)
        self.bot.bot_id, self.bot.app_id = self.ids.make("B"), self.app_id

    # -- people and places ------------------------------------------------------------------------------------

    def add_user(
        self,
        name: str,
        real_name: str | None = None,
        *,
        email: str | None = None,
        team_id: str | None = None,
        deleted: bool = False,
        is_bot: bool = False,
        is_restricted: bool = False,
        is_ultra_restricted: bool = False,
        is_stranger: bool = False,
    ) -> User:
        """Add a user; the default e-mail address is at `example.com`."""
        user = User(
            id=self.ids.make("U"),
            name=name,
            real_name=real_name or name.title(),
            email=f"{name}@example.com" if email is None else email,
            team_id=team_id or self.team_id,
            deleted=deleted,
            is_bot=is_bot,
            is_restricted=is_restricted,
            is_ultra_restricted=is_ultra_restricted,
            is_stranger=is_stranger,
        )
        self.users[user.id] = user
        self.touch("user")
        return user

    def add_group(self, handle: str, members: Iterable[User], *, disabled: bool = False) -> UserGroup:
        """Add a user group."""
        group = UserGroup(self.ids.make("S"), handle, [member.id for member in members], disabled)
        self.groups[group.id] = group
        self.touch("group")
        return group

    def add_channel(
        self,
        name: str,
        members: Iterable[User] = (),
        *,
        is_private: bool = False,
        is_archived: bool = False,
        bot_joined: bool = True,
    ) -> Channel:
        """Add a channel by name, without the `#`."""
        inside = {member.id for member in members} | ({self.bot.id} if bot_joined else set())
        channel = Channel(self.ids.make("C"), name.removeprefix("#"), inside, is_private, is_archived)
        self.channels[channel.id] = channel
        self.touch("channel")
        return channel

    def user(self, who: User | str) -> User:
        """Return a user by id or name; KeyError when there is none."""
        wanted = who.id if isinstance(who, User) else who
        return self.users.get(wanted) or _only(self.users.values(), wanted, lambda user: user.name)

    def group(self, which: UserGroup | str) -> UserGroup:
        """Return a user group by id or handle; KeyError when there is none."""
        wanted = which.id if isinstance(which, UserGroup) else which
        return self.groups.get(wanted) or _only(self.groups.values(), wanted, lambda group: group.handle)

    def channel(self, which: Channel | str) -> Channel:
        """Return a channel by id or name (with or without `#`); KeyError when there is none."""
        wanted = (which.id if isinstance(which, Channel) else which).removeprefix("#")
        return self.channels.get(wanted) or _only(self.channels.values(), wanted, lambda channel: channel.name)

    # -- messages ---------------------------------------------------------------------------------------------

    def post(
        self,
        channel: Channel,
        author: User,
        text: str,
        blocks: list[Json],
        *,
        thread_ts: str | None = None,
        metadata: Json | None = None,
    ) -> Message:
        """Post a message to a channel, or with `thread_ts` to a thread. Raises SlackError."""
        if thread_ts is not None:
            parent = channel.find(thread_ts)
            # Slack documents no error for a missing parent; accepting the post would hide a lost thread.
            if parent is None or parent.tombstone:
                raise SlackError("thread_not_found")
            thread_ts = parent.thread_ts or parent.ts
        message = self._message(channel, author, text, blocks, thread_ts)
        message.metadata = metadata
        channel.messages.append(message)
        self.touch("message")
        return message

    def post_ephemeral(
        self, channel: Channel, reader: User, text: str, blocks: list[Json], thread_ts: str | None = None
    ) -> Message:
        """Post an ephemeral message of the bot to one reader."""
        message = self._message(channel, self.bot, text, blocks, thread_ts)
        message.reader = reader.id
        self.ephemerals.append(message)
        self.touch("ephemeral")
        return message

    def change(self, message: Message, text: str, blocks: list[Json]) -> None:
        """Replace a message's text and blocks. Only a message without blocks is marked as edited."""
        message.text, message.blocks = text, blocks
        message.updates += 1
        if not blocks:
            message.edited = {"user": self.bot.id, "ts": self._timestamps.make()}
        self.touch("message")

    def remove(self, message: Message) -> None:
        """Delete a message; one with replies leaves a tombstone."""
        if message.reader is not None:
            self.ephemerals.remove(message)
        else:
            channel = self.channels[message.channel]
            if channel.replies(message.ts):
                message.tombstone, message.blocks, message.text, message.metadata = True, [], "", None
            else:
                channel.messages.remove(message)
        self.touch("message")

    def find_shown(self, user: User, channel: Channel, ts: str) -> Message | None:
        """Return the message with this timestamp that `user` sees in the channel, ephemeral ones included."""
        ephemeral = (each for each in self.ephemerals if each.reader == user.id and each.channel == channel.id)
        return channel.find(ts) or next((message for message in ephemeral if message.ts == ts), None)

    def touch(self, what: str) -> None:
        """Notify everyone who waits for a change."""
        self.changes.notify(what)

    # -- views ------------------------------------------------------------------------------------------------

    def view_as_json(self, view: View, state: Json | None = None) -> Json:
        """Return a view as Slack sends it, with the entries so far."""
        return {
            "id": view.id,
            "team_id": self.team_id,
            "private_metadata": "",
            "callback_id": "",
            "external_id": "",
            "clear_on_close": False,
            "notify_on_close": False,
            "close": None,
            "submit": None,
            **view.content,
            "state": {"values": state or {}},
            "hash": view.hash,
            "previous_view_id": view.previous_id,
            "root_view_id": view.root_id,
            "app_id": self.app_id,
            "app_installed_team_id": self.team_id,
            "bot_id": self.bot.bot_id,
        }

    def _message(self, channel: Channel, author: User, text: str, blocks: list[Json], thread_ts: str | None) -> Message:
        return Message(
            channel=channel.id,
            ts=self._timestamps.make(),
            user=author.id,
            text=text,
            blocks=blocks,
            bot_id=author.bot_id,
            app_id=author.app_id,
            team_id=author.team_id,
            thread_ts=thread_ts,
        )


def _only(candidates: Iterable[_T], wanted: str, name: Callable[[_T], str]) -> _T:
    found = [candidate for candidate in candidates if name(candidate) == wanted]
    if len(found) != 1:
        raise KeyError(f"the sandbox has {len(found)} named {wanted!r}, not one")
    return found[0]
