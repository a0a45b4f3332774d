"""Our own record of each Slack message: its id goes with the message, so that one posted twice can be told from one.

A message is written down as attempted before Slack is called, and its row is locked while it is.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import NAMESPACE_URL, UUID, uuid5

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.tables import slack_messages

M = slack_messages.c

CARD, REPLY, ALERT = "card", "reply", "alert"


def outbox_id(kind: str, subject: UUID) -> UUID:
    """The id that a message carries: the same for every run of the job that posts it."""
    return uuid5(NAMESPACE_URL, f"apv-bot:{kind}:{subject}")


@dataclass(frozen=True, slots=True)
class Message:
    """A message as far as we know. `ts` is None until Slack has confirmed it."""

    id: UUID
    channel: str
    ts: str | None
    attempted_at: datetime | None
    rendered_revision: int


async def begin(tx: AsyncConnection, kind: str, subject: UUID, review_id: UUID | None, channel: str) -> UUID:
    """Write down that a message is wanted, unless it is already; returns its outbox id."""
    message_id = outbox_id(kind, subject)
    row = insert(slack_messages).values(id=message_id, kind=kind, review_id=review_id, channel=channel)
    await tx.execute(row.on_conflict_do_nothing())
    return message_id


async def attempt(tx: AsyncConnection, message_id: UUID) -> datetime | None:
    """Write down that a post is about to be tried; returns when it was first tried before, None if never."""
    before = select(M.attempted_at).where(M.id == message_id).with_for_update()
    tried: datetime | None = (await tx.execute(before)).scalar_one()
    if tried is None:
        await tx.execute(update(slack_messages).where(M.id == message_id).values(attempted_at=func.clock_timestamp()))
    return tried


async def lock(tx: AsyncConnection, message_id: UUID) -> Message:
    """Lock a message: two updates of one card must not overtake each other on the way to Slack."""
    columns = (M.id, M.channel, M.ts, M.attempted_at, M.rendered_revision)
    row = (await tx.execute(select(*columns).where(M.id == message_id).with_for_update())).one()
    return Message(*row)


async def move(tx: AsyncConnection, message_id: UUID, channel: str) -> None:
    """The message is to go to another channel; one that Slack has where it was is given up."""
    values = {"channel": channel, "ts": None, "rendered_revision": -1}
    await tx.execute(update(slack_messages).where(M.id == message_id).values(**values))


async def sent(tx: AsyncConnection, message_id: UUID, channel: str, ts: str, revision: int) -> None:
    """Slack has the message, and it shows the review at `revision`."""
    values = {"channel": channel, "ts": ts, "rendered_revision": revision}
    await tx.execute(update(slack_messages).where(M.id == message_id).values(**values))


async def card_of(tx: AsyncConnection, review_id: UUID) -> tuple[str, str] | None:
    """Channel and ts of a review's card; None while Slack has none."""
    query = select(M.channel, M.ts).where(M.id == outbox_id(CARD, review_id), M.ts.is_not(None))
    row = (await tx.execute(query)).one_or_none()
    return (row.channel, row.ts) if row else None
