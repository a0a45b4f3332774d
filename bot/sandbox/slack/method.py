"""Declares a Web API method: name, arguments and scope, on the function that implements it."""

from collections.abc import Callable
from dataclasses import dataclass

from bot.sandbox.slack.arguments import Arguments
from bot.sandbox.slack.model import Channel
from bot.sandbox.slack.wire import Json, SlackError
from bot.sandbox.slack.workspace import Workspace

Run = Callable[[Workspace, Arguments], Json]
"""Carries out a call; its result is merged into `{"ok": true}`. Raises SlackError."""


@dataclass(frozen=True, slots=True)
class Method:
    """One method of the Web API."""

    run: Run
    required: frozenset[str]
    optional: frozenset[str]
    scope: str | None


METHODS: dict[str, Method] = {}
"""Every supported method, by Slack's name."""


def method(name: str, *, required: str = "", optional: str = "", scope: str | None = None) -> Callable[[Run], Run]:
    """Declare a method; spaces separate the argument names."""

    def declare(run: Run) -> Run:
        METHODS[name] = Method(run, frozenset(required.split()), frozenset(optional.split()), scope)
        return run

    return declare


def require_scope(workspace: Workspace, scope: str) -> None:
    """Refuse the call unless the token has this scope."""
    if scope not in workspace.scopes:
        raise SlackError("missing_scope", needed=scope, provided=",".join(sorted(workspace.scopes)))


def visible_channel(workspace: Workspace, args: Arguments) -> Channel:
    """Return the channel with this id if the bot can see it: any public one, a private one only as a member."""
    channel = workspace.channels.get(args.text("channel"))
    if channel is None or (channel.is_private and workspace.bot.id not in channel.members):
        raise SlackError("channel_not_found")
    return channel


def writable_channel(workspace: Workspace, args: Arguments) -> Channel:
    """Return the channel if the bot may write to it: it is a member, and the channel is not archived."""
    channel = visible_channel(workspace, args)
    if channel.is_archived:
        raise SlackError("is_archived")
    if workspace.bot.id not in channel.members:
        raise SlackError("not_in_channel")
    return channel
