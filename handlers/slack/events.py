"""What Slack tells unasked: who changed is asked about again before they decide; who opens the Home tab is shown it."""

import asyncio

from pydantic import BaseModel
from slack_bolt.async_app import AsyncAck, AsyncBoltRequest

from bot.blocks.home import LISTED, home
from bot.service import queries as queue
from bot.service import statistics
from handlers.slack.desk import Desk
from handlers.slack.payloads import Id


class Named(BaseModel):
    """A user or user group, by its id."""

    id: str


class Event(BaseModel):
    """The part of an event that says who changed."""

    user: Named | None = None
    subteam: Named | None = None
    subteam_id: str | None = None


class Envelope(BaseModel):
    """An `event_callback`."""

    event: Event


async def people_changed(desk: Desk, ack: AsyncAck, request: AsyncBoltRequest) -> None:
    """A user or user group changed. Nothing is recorded, so the same event again does no harm."""
    event = Envelope.model_validate(request.body).event
    for changed in (event.user, event.subteam):
        if changed is not None:
            desk.gate.directory.forget(changed.id)
    if event.subteam_id is not None:
        desk.gate.directory.forget(event.subteam_id)
    await ack()


class HomeOpened(BaseModel):
    """The event of somebody who opens the app; `tab` is `home` or `messages`."""

    user: Id
    tab: str = "home"


class HomeEnvelope(BaseModel):
    """An `event_callback` of that event."""

    event: HomeOpened


async def home_opened(desk: Desk, ack: AsyncAck, request: AsyncBoltRequest) -> None:
    """Somebody opened their Home tab. It is drawn anew each time, so the same event again does no harm."""
    event = HomeEnvelope.model_validate(request.body).event
    if event.tab == "home":
        async with asyncio.timeout(desk.gate.patience):
            mine = await queue.claimed_by(desk.gate, event.user, limit=LISTED)
            urgent = await queue.waiting(desk.gate, None, limit=LISTED)
            numbers = await statistics.collect(desk.gate)
            view = home(
                mine=[stored.dossier for stored in mine.reviews],
                mine_total=mine.total,
                urgent=[stored.dossier for stored in urgent.reviews],
                waiting=numbers.reviews.waiting(),
                decided=numbers.decisions.of,
                today=numbers.decisions.today,
                now=desk.gate.now(),
            )
            await desk.views.publish_home(event.user, dict(view))
    await ack()


async def ignored(_desk: Desk, ack: AsyncAck, _request: AsyncBoltRequest) -> None:
    """Whatever nobody listens to is acknowledged: Slack counts an unhandled request as our failure."""
    await ack()
