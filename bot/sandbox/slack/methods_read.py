"""auth, conversations, users and usergroups: the reading methods, with paging, and conversations.join."""

import base64
import binascii
from collections.abc import Sequence
from typing import TypeVar

from bot.sandbox.slack.arguments import Arguments
from bot.sandbox.slack.method import method, require_scope, visible_channel
from bot.sandbox.slack.model import Channel, Message, UserGroup
from bot.sandbox.slack.wire import Json, SlackError
from bot.sandbox.slack.workspace import Workspace

_T = TypeVar("_T")

_PAGING = "cursor limit"
_WINDOW = f"oldest latest inclusive include_all_metadata {_PAGING}"


@method("auth.test")
def auth_test(workspace: Workspace, args: Arguments) -> Json:
    """Return the identity of the token."""
    return {
        "url": f"https://{workspace.domain}.slack.com/",
        "team": workspace.team_name,
        "user": workspace.bot.name,
        "team_id": workspace.team_id,
        "user_id": workspace.bot.id,
        "bot_id": workspace.bot.bot_id,
        "is_enterprise_install": False,
    }


@method("conversations.history", required="channel", optional=_WINDOW)
def history(workspace: Workspace, args: Arguments) -> Json:
    """Return a channel's messages, newest first, without replies."""
    channel = _readable(workspace, args)
    wanted = [message for message in reversed(channel.top_level()) if _in_window(message, args)]
    return _messages(channel, wanted, args)


@method("conversations.replies", required="channel ts", optional=_WINDOW)
def replies(workspace: Workspace, args: Arguments) -> Json:
    """Return a message and its replies, oldest first; the time window limits only the replies."""
    channel = _readable(workspace, args)
    message = channel.find(args.text("ts"))
    if message is None:
        raise SlackError("thread_not_found")
    answers = [reply for reply in channel.replies(message.ts) if _in_window(reply, args)]
    return _messages(channel, [message, *answers], args)


@method("conversations.info", required="channel", optional="include_num_members include_locale")
def info(workspace: Workspace, args: Arguments) -> Json:
    """Return a channel."""
    channel = visible_channel(workspace, args)
    require_scope(workspace, _scope(channel, "read"))
    return {"channel": channel.as_json(workspace.bot.id)}


@method("conversations.join", required="channel", scope="channels:join")
def join(workspace: Workspace, args: Arguments) -> Json:
    """Make the bot a member of a public channel."""
    channel = visible_channel(workspace, args)
    if channel.is_private:
        raise SlackError("method_not_supported_for_channel_type")
    if channel.is_archived:
        raise SlackError("is_archived")
    answer: Json = {}
    if workspace.bot.id in channel.members:
        answer = {"warning": "already_in_channel", "response_metadata": {"warnings": ["already_in_channel"]}}
    channel.members.add(workspace.bot.id)
    workspace.touch("channel")
    return {"channel": channel.as_json(workspace.bot.id), **answer}


@method("conversations.list", optional=f"exclude_archived types {_PAGING}", scope="channels:read")
def list_channels(workspace: Workspace, args: Arguments) -> Json:
    """Return the channels that the bot can see, of the requested types."""
    kinds = {kind.strip() for kind in args.text("types", "public_channel").split(",")}
    if kinds - {"public_channel", "private_channel", "mpim", "im"}:
        raise SlackError("invalid_types")
    seen = [
        channel
        for channel in workspace.channels.values()
        if ("private_channel" if channel.is_private else "public_channel") in kinds
        and (not channel.is_private or workspace.bot.id in channel.members)
        and not (channel.is_archived and args.flag("exclude_archived"))
    ]
    page, more = _page(seen, args)
    return {"channels": [channel.as_json(workspace.bot.id) for channel in page], **more}


@method("users.info", required="user", optional="include_locale", scope="users:read")
def user_info(workspace: Workspace, args: Arguments) -> Json:
    """A user; the e-mail address only with its own scope."""
    user = workspace.users.get(args.text("user"))
    if user is None:
        raise SlackError("user_not_found")
    return {"user": _without_email_unless_in_scope(workspace, user.as_json())}


@method("users.lookupByEmail", required="email", scope="users:read.email")
def user_by_email(workspace: Workspace, args: Arguments) -> Json:
    """The user with this address; a deactivated one is not found (https://docs.slack.dev/reference/methods/users.lookupByEmail)."""
    wanted = args.text("email").lower()
    for user in workspace.users.values():
        shown = user.as_json()
        if not user.deleted and shown["profile"].get("email", "").lower() == wanted:
            return {"user": shown}
    raise SlackError("users_not_found")


@method("users.list", optional=f"include_locale {_PAGING}", scope="users:read")
def list_users(workspace: Workspace, args: Arguments) -> Json:
    """Return all users."""
    page, more = _page(list(workspace.users.values()), args)
    members = [_without_email_unless_in_scope(workspace, user.as_json()) for user in page]
    return {"members": members, "cache_ts": 0, **more}


@method("usergroups.list", optional="include_count include_disabled include_users", scope="usergroups:read")
def list_groups(workspace: Workspace, args: Arguments) -> Json:
    """Return the user groups, disabled ones only on request."""
    listed = []
    for group in workspace.groups.values():
        if group.disabled and not args.flag("include_disabled"):
            continue
        shown = group.as_json(workspace.team_id)
        if args.flag("include_users"):
            shown["users"] = list(group.members)
        if args.flag("include_count"):
            shown["user_count"] = len(group.members)
        listed.append(shown)
    return {"usergroups": listed}


@method("usergroups.users.list", required="usergroup", optional="include_disabled", scope="usergroups:read")
def list_group_members(workspace: Workspace, args: Arguments) -> Json:
    """Return the members of a user group."""
    group: UserGroup | None = workspace.groups.get(args.text("usergroup"))
    if group is None or (group.disabled and not args.flag("include_disabled")):
        raise SlackError("no_such_subteam")
    return {"users": list(group.members)}


def _readable(workspace: Workspace, args: Arguments) -> Channel:
    channel = visible_channel(workspace, args)
    require_scope(workspace, _scope(channel, "history"))
    if workspace.bot.id not in channel.members:
        raise SlackError("not_in_channel")
    return channel


def _scope(channel: Channel, what: str) -> str:
    return f"groups:{what}" if channel.is_private else f"channels:{what}"


def _in_window(message: Message, args: Arguments) -> bool:
    oldest, latest = args.timestamp("oldest"), args.timestamp("latest")
    at = float(message.ts)
    if args.flag("inclusive"):
        return (oldest is None or at >= oldest) and (latest is None or at <= latest)
    return (oldest is None or at > oldest) and (latest is None or at < latest)


def _messages(channel: Channel, messages: list[Message], args: Arguments) -> Json:
    page, more = _page(messages, args, most=999)
    everything = args.flag("include_all_metadata")
    shown = [channel.message_as_json(message, all_metadata=everything) for message in page]
    return {"messages": shown, "has_more": bool(more["response_metadata"]["next_cursor"]), **more}


def _page(everything: Sequence[_T], args: Arguments, most: int = 1_000) -> tuple[Sequence[_T], Json]:
    """Return the page at the cursor, and the next cursor. A cursor is opaque to the caller."""
    start = 0
    if cursor := args.text("cursor"):
        try:
            start = int(base64.b64decode(cursor, validate=True).decode().removeprefix("next:"))
        except (binascii.Error, ValueError):
            raise SlackError("invalid_cursor") from None
    end = start + args.number("limit", 100, most)
    following = base64.b64encode(f"next:{end}".encode()).decode() if end < len(everything) else ""
    return everything[start:end], {"response_metadata": {"next_cursor": following}}


def _without_email_unless_in_scope(workspace: Workspace, user: Json) -> Json:
    if "users:read.email" not in workspace.scopes:
        user["profile"].pop("email", None)
    return user
