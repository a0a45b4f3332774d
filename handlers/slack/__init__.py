"""Maps every Slack action, modal, command and event to its handler. Anything else is acknowledged and ignored."""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

from slack_bolt import BoltResponse
from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncBoltRequest

from bot.blocks import ids
from handlers.slack import actions, commands, errors, events, views
from handlers.slack.context import Context

Handler: TypeAlias = Callable[[Context, AsyncAck, AsyncBoltRequest], Awaitable[None]]

ACTIONS: Mapping[str, Handler] = {
    ids.APPROVE: actions.approve,
    ids.REJECT: actions.reject,
    ids.ESCALATE: actions.escalate,
    ids.CLAIM: actions.claim,
    ids.DIFF: actions.view_diff,
    ids.DETAILS: actions.details,
    ids.PREVIOUS: actions.turn,
    ids.NEXT: actions.turn,
}
VIEWS: Mapping[str, Handler] = {
    ids.VIEW_APPROVE_WHY: views.decide,
    ids.VIEW_REJECT: views.decide,
    ids.VIEW_ESCALATE: views.decide,
}
COMMANDS: Mapping[str, Handler] = {"/apv": commands.apv}
EVENTS: Mapping[str, Handler] = {
    "app_home_opened": events.home_opened,
    "user_change": events.people_changed,
    "subteam_updated": events.people_changed,
    "subteam_members_changed": events.people_changed,
}

ANYTHING = re.compile(".*", re.DOTALL)


def register(app: AsyncApp, context: Context) -> None:
    """Register the handlers with `app`; the first match answers, so the catch-alls come last."""
    for kind, table in (
        (app.action, ACTIONS),
        (app.view_submission, VIEWS),
        (app.command, COMMANDS),
        (app.event, EVENTS),
    ):
        for name, handler in table.items():
            kind(name)(_listener(handler, context))
    ignored = _listener(events.ignored, context)
    for catch_all in (app.action, app.view_submission, app.view_closed, app.command, app.event, app.shortcut):
        catch_all(ANYTHING)(ignored)
    app.options(ANYTHING)(ignored)

    async def answer_error(error: Exception, request: AsyncBoltRequest) -> BoltResponse:
        return await errors.answer_error(context, error, request)

    app.error(answer_error)


def _listener(handler: Handler, context: Context) -> Callable[[AsyncAck, AsyncBoltRequest], Awaitable[None]]:
    async def listener(ack: AsyncAck, request: AsyncBoltRequest) -> None:
        await handler(context, ack, request)

    return listener
