"""Slack events: changed people, who are looked up again before they decide, and opened Home tabs."""

import asyncio

from pydantic import BaseModel
from slack_bolt.async_app import AsyncAck, AsyncBoltRequest

from bot.blocks.home import LISTED, closed, home
from bot.blocks.kit import Home
from bot.service import queries, statistics
from bot.service.people import SlackUser, reading_refusal
from handlers.slack.context import Context
from handlers.slack.payloads import Id


class Named(BaseModel):
    """A user or user group, by its id."""

    id: str


class PeopleChanged(BaseModel):
    """The part of an event that names who changed."""

    user: Named | None = None
    subteam: Named | None = None
    subteam_id: str | None = None


class Envelope(BaseModel):
    """An `event_callback`."""

    event: PeopleChanged


async def people_changed(context: Context, ack: AsyncAck, request: AsyncBoltRequest) -> None:
    """A user or user group changed. Idempotent: nothing is recorded."""
    event = Envelope.model_validate(request.body).event
    for changed in (event.user, event.subteam):
        if changed is not None:
            context.gate.directory.forget(changed.id)
    if event.subteam_id is not None:
        context.gate.directory.forget(event.subteam_id)
    await ack()


class HomeOpened(BaseModel):
    """Somebody opened the app; `tab` is `home` or `messages`."""

    user: Id
    tab: str = "home"


class HomeEnvelope(BaseModel):
    """An `event_callback` of that event, and the workspace that it comes from."""

    event: HomeOpened
    team_id: Id | None = None


async def home_opened(context: Context, ack: AsyncAck, request: AsyncBoltRequest) -> None:
    """Somebody opened their Home tab. Idempotent: the tab is rendered each time."""
    envelope = HomeEnvelope.model_validate(request.body)
    user = envelope.event.user
    if envelope.event.tab == "home":
        async with asyncio.timeout(context.gate.patience):
            refusal = await reading_refusal(context.gate, SlackUser(user, envelope.team_id or context.gate.team_id()))
            view = closed(refusal.sentence) if refusal else await _home(context, user)
            await context.views.publish_home(user, dict(view))
    await ack()


async def _home(context: Context, user: str) -> Home:
    mine = await queries.claimed_by(context.gate, user, limit=LISTED)
    urgent = await queries.waiting(context.gate, None, limit=LISTED)
    numbers = await statistics.collect(context.gate)
    return home(
        mine=mine.reviews,
        mine_total=mine.total,
        urgent=urgent.reviews,
        waiting=numbers.reviews.waiting(),
        decided=numbers.decisions.of,
        today=numbers.decisions.today,
        now=context.gate.now(),
    )


async def ignored(_context: Context, ack: AsyncAck, _request: AsyncBoltRequest) -> None:
    """Acknowledge requests without a listener: Slack counts an unacknowledged request as our failure."""
    await ack()
