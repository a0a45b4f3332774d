"""A strict, stateful stand-in for Slack: Web API, Block Kit, signed delivery, Socket Mode, over real HTTP."""

from bot.sandbox.slack.delivery import NOT_SENT, Delivery
from bot.sandbox.slack.form import CannotActError, NotSubmittedError
from bot.sandbox.slack.model import Channel, Message, User, UserGroup
from bot.sandbox.slack.sandbox import SlackSandbox
from bot.sandbox.slack.views import View
from bot.sandbox.slack.workspace import ApiCall

__all__ = [
    "NOT_SENT",
    "ApiCall",
    "CannotActError",
    "Channel",
    "Delivery",
    "Message",
    "NotSubmittedError",
    "SlackSandbox",
    "User",
    "UserGroup",
    "View",
]
