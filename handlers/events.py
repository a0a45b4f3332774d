"""What Slack tells of people: who changed is asked about again before they decide anything."""

from pydantic import BaseModel
from slack_bolt.async_app import AsyncAck, AsyncBoltRequest

from handlers.desk import Desk


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


async def ignored(_desk: Desk, ack: AsyncAck, _request: AsyncBoltRequest) -> None:
    """Whatever nobody listens to is acknowledged: Slack counts an unhandled request as our failure."""
    await ack()
