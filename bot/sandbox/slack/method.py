"""How a Web API method is declared: its name, its arguments and its scope, beside the function that carries it out."""

from collections.abc import Callable
from dataclasses import dataclass

from bot.sandbox.slack.arguments import Arguments
from bot.sandbox.slack.model import Channel
from bot.sandbox.slack.wire import Json, SlackError
from bot.sandbox.slack.workspace import Workspace

Run = Callable[[Workspace, Arguments], Json]
"""Carries out a call; what it returns is merged into `{"ok": true}`. Raises SlackError."""


@dataclass(frozen=True, slots=True)
class Method:
    """One method of the Web API."""

    run: Run
    required: frozenset[str]
    optional: frozenset[str]
    scope: str | None


METHODS: dict[str, Method] = {}
"""Every method this stand-in knows, by Slack's name."""


def method(name: str, *, required: str = "", optional: str = "", scope: str | None = None) -> Callable[[Run], Run]:
    """Declare a method; argument names are separated by spaces."""

    def declare(run: Run) -> Run:
        METHODS[name] = Method(run, frozenset(required.split()), frozenset(optional.split()), scope)
        return run

    return declare


def require_scope(workspace: Workspace, scope: str) -> None:
    """Refuse the call unless the token has this scope."""
    if scope not in workspace.scopes:
        raise SlackError("missing_scope", needed=scope, provided=",".join(sorted(workspace.scopes)))


def visible_channel(workspace: Workspace, args: Arguments) -> Channel:
    """The channel named by id that the bot can see: any public one, a private one only from inside."""
    channel = workspace.channels.get(args.text("channel"))
    if channel is None or (channel.is_private and workspace.bot.id not in channel.members):
        raise SlackError("channel_not_found")
    return channel


def writable_channel(workspace: Workspace, args: Arguments) -> Channel:
    """The channel that the bot may write to: not archived, and it is inside."""
    channel = visible_channel(workspace, args)
    if channel.is_archived:
        raise SlackError("is_archived")
    if workspace.bot.id not in channel.members:
        raise SlackError("not_in_channel")
    return channel
