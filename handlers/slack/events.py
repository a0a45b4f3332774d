"""Slack events: changed people, who are looked up again before they decide, and opened Home tabs."""

import asyncio

from pydantic import BaseModel
from slack_bolt.async_app import AsyncAck, AsyncBoltRequest

from bot.blocks.home import LISTED, home
from bot.service import queries, statistics
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
    """An `event_callback` of that event."""

    event: HomeOpened


async def home_opened(context: Context, ack: AsyncAck, request: AsyncBoltRequest) -> None:
    """Somebody opened their Home tab. Idempotent: the tab is rendered each time."""
    event = HomeEnvelope.model_validate(request.body).event
    if event.tab == "home":
        async with asyncio.timeout(context.gate.patience):
            mine = await queries.claimed_by(context.gate, event.user, limit=LISTED)
            urgent = await queries.waiting(context.gate, None, limit=LISTED)
            numbers = await statistics.collect(context.gate)
            view = home(
                mine=mine.reviews,
                mine_total=mine.total,
                urgent=urgent.reviews,
                waiting=numbers.reviews.waiting(),
                decided=numbers.decisions.of,
                today=numbers.decisions.today,
                now=context.gate.now(),
            )
            await context.views.publish_home(event.user, dict(view))
    await ack()


async def ignored(_context: Context, ack: AsyncAck, _request: AsyncBoltRequest) -> None:
    """Acknowledge requests without a listener: Slack counts an unacknowledged request as our failure."""
    await ack()
