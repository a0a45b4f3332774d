"""Users, user groups, channels and messages, and their JSON at Slack."""

from dataclasses import dataclass, field

from bot.sandbox.slack.blockkit import elements_of, visible_texts
from bot.sandbox.slack.wire import Json


@dataclass(slots=True)
class User:
    """A member, guest, bot or stranger; tests may change every field while the sandbox runs."""

    id: str
    name: str
    real_name: str
    email: str
    team_id: str
    deleted: bool = False
    is_bot: bool = False
    is_restricted: bool = False
    """A multi-channel guest."""
    is_ultra_restricted: bool = False
    """A single-channel guest."""
    is_stranger: bool = False
    """A user of another workspace who no longer shares a channel."""
    bot_id: str | None = None
    app_id: str | None = None

    def as_json(self) -> Json:
        """Return the user as in users.info; a deactivated user has fewer fields."""
        profile: Json = {
            "real_name": self.real_name,
            "real_name_normalized": self.real_name,
            "display_name": self.name,
            "display_name_normalized": self.name,
            "team": self.team_id,
        }
        if self.email and not self.is_bot and not self.is_stranger:
            profile["email"] = self.email
        if self.bot_id:
            profile |= {"bot_id": self.bot_id, "api_app_id": self.app_id or "", "always_active": True}
        user: Json = {
            "id": self.id,
            "team_id": self.team_id,
            "name": self.name,
            "deleted": self.deleted,
            "profile": profile,
            "is_bot": self.is_bot,
            "is_app_user": False,
            "updated": 0,
        }
        if not self.deleted:
            user |= {
                "real_name": self.real_name,
                "color": "9f69e7",
                "tz": "Etc/UTC",
                "tz_label": "UTC",
                "tz_offset": 0,
                "is_admin": False,
                "is_owner": False,
                "is_primary_owner": False,
                "is_restricted": self.is_restricted,
                "is_ultra_restricted": self.is_ultra_restricted,
            }
        if self.is_stranger:
            user["is_stranger"] = True
        return user


@dataclass(slots=True)
class UserGroup:
    """A user group: `@handle` and members; it may be disabled."""

    id: str
    handle: str
    members: list[str]
    disabled: bool = False

    def as_json(self, team_id: str) -> Json:
        """Return the group as in usergroups.list, without its members."""
        return {
            "id": self.id,
            "team_id": team_id,
            "is_usergroup": True,
            "is_subteam": True,
            "name": self.handle,
            "description": "",
            "handle": self.handle,
            "is_external": False,
            "auto_type": None,
            "date_delete": 1 if self.disabled else 0,
            "prefs": {"channels": [], "groups": []},
        }


@dataclass(slots=True)
class Message:
    """A message in a channel or thread. With a `reader` it is ephemeral: only they see it."""

    channel: str
    ts: str
    user: str
    text: str
    blocks: list[Json] = field(default_factory=list)
    bot_id: str | None = None
    app_id: str | None = None
    team_id: str = ""
    thread_ts: str | None = None
    metadata: Json | None = None
    edited: Json | None = None
    reader: str | None = None
    updates: int = 0
    """The number of updates since it was posted."""
    read: bool = False
    """Whether a test has looked at it (see `SlackSandbox.mark_read`)."""
    tombstone: bool = False
    """Deleted, but kept because it has replies."""

    @property
    def words(self) -> str:
        """What a person reads: the blocks' texts, one per line, or the plain text without blocks."""
        return "\n".join(visible_texts(self.blocks)) if self.blocks else self.text

    @property
    def buttons(self) -> list[str]:
        """The texts of its buttons, in order."""
        return [
            element["text"]["text"]
            for block in self.blocks
            for element in elements_of(block)
            if element["type"] == "button"
        ]

    def as_json(self, *, all_metadata: bool = True) -> Json:
        """Return the message as Slack sends it; without `all_metadata` it has only the metadata's event type."""
        if self.tombstone:
            return {
                "type": "message",
                "subtype": "tombstone",
                "text": "This message was deleted.",
                "user": "USLACKBOT",
                "hidden": True,
                "ts": self.ts,
                "thread_ts": self.ts,
            }
        message: Json = {"type": "message", "user": self.user, "ts": self.ts, "text": self.text, "team": self.team_id}
        if self.bot_id:
            message |= {"bot_id": self.bot_id, "app_id": self.app_id}
        if self.blocks:
            message["blocks"] = self.blocks
        if self.thread_ts:
            message["thread_ts"] = self.thread_ts
        if self.edited:
            message["edited"] = dict(self.edited)
        if self.metadata:
            message["metadata"] = self.metadata if all_metadata else {"event_type": self.metadata["event_type"]}
        return message


@dataclass(slots=True)
class Channel:
    """A public or private channel, its members (the bot too, by user id) and its messages, oldest first."""

    id: str
    name: str
    members: set[str] = field(default_factory=set)
    is_private: bool = False
    is_archived: bool = False
    messages: list[Message] = field(default_factory=list)

    def find(self, ts: str) -> Message | None:
        """Return the message or reply with this timestamp."""
        return next((message for message in self.messages if message.ts == ts), None)

    def top_level(self) -> list[Message]:
        """Return the messages outside threads, oldest first."""
        return [message for message in self.messages if message.thread_ts in (None, message.ts)]

    def replies(self, ts: str) -> list[Message]:
        """Return the replies to a message, oldest first."""
        return [message for message in self.messages if message.thread_ts == ts and message.ts != ts]

    def message_as_json(self, message: Message, *, all_metadata: bool = True) -> Json:
        """Return a message as JSON, with the fields of its thread."""
        written = message.as_json(all_metadata=all_metadata)
        replies = self.replies(message.ts)
        if replies:
            users = list(dict.fromkeys(reply.user for reply in replies))
            written |= {
                "thread_ts": message.ts,
                "reply_count": len(replies),
                "reply_users_count": len(users),
                "reply_users": users[:5],
                "latest_reply": replies[-1].ts,
                "is_locked": False,
                "subscribed": True,
            }
        elif message.thread_ts and (parent := self.find(message.thread_ts)) is not None:
            written["parent_user_id"] = parent.user
        return written

    def as_json(self, bot_user: str) -> Json:
        """Return the channel as conversations.info shows it to the bot."""
        return {
            "id": self.id,
            "name": self.name,
            "name_normalized": self.name,
            "is_channel": True,
            "is_group": False,
            "is_im": False,
            "is_mpim": False,
            "is_private": self.is_private,
            "is_archived": self.is_archived,
            "is_general": False,
            "is_shared": False,
            "is_ext_shared": False,
            "is_org_shared": False,
            "is_member": bot_user in self.members,
            "num_members": len(self.members),
            "created": 0,
            "creator": "USLACKBOT",
            "topic": {"value": "", "creator": "", "last_set": 0},
            "purpose": {"value": "", "creator": "", "last_set": 0},
        }
