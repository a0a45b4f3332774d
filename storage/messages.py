"""Our record of each Slack message. Slack gets its id with the post, so a retry can find out whether it was posted.

A message is recorded as attempted before Slack is called, and its row is locked during the call.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import NAMESPACE_URL, UUID, uuid5

from sqlalchemy import func, select, text, true, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.tables import slack_messages, slack_pace

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


# The channel's row comes first: lanes are read from `slack_pace`.
WANT = """
WITH wanted AS (
    SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:reviews AS uuid[]), CAST(:channels AS text[]))
        AS w(id, review, channel)
), known AS (
    INSERT INTO slack_pace (channel) SELECT DISTINCT channel FROM wanted ORDER BY channel ON CONFLICT DO NOTHING
)
INSERT INTO slack_messages (id, kind, review_id, channel) SELECT id, :kind, review, channel FROM wanted
ON CONFLICT DO NOTHING
"""


async def begin(tx: AsyncConnection, kind: str, subject: UUID, review_id: UUID | None, channel: str) -> UUID:
    """Record that a message is wanted; idempotent; returns its outbox id."""
    message_id = outbox_id(kind, subject)
    await _want(tx, kind, [message_id], [review_id], [channel])
    return message_id


async def want_cards(tx: AsyncConnection, channels: Mapping[UUID, str]) -> None:
    """Record in which channel each review's card is wanted; idempotent."""
    await _want(tx, CARD, [outbox_id(CARD, review) for review in channels], list(channels), list(channels.values()))


async def _want(
    tx: AsyncConnection, kind: str, ids: Sequence[UUID], reviews: Sequence[UUID | None], channels: Sequence[str]
) -> None:
    values = {"ids": list(ids), "kind": kind, "reviews": list(reviews), "channels": list(channels)}
    await tx.execute(text(WANT), values)


async def attempt(tx: AsyncConnection, message_id: UUID) -> Message:
    """Record that a post is about to be tried; returns the message as it was before."""
    message = await lock(tx, message_id)
    if message.attempted_at is None:
        await tx.execute(update(slack_messages).where(M.id == message_id).values(attempted_at=func.clock_timestamp()))
    return message


async def lock(tx: AsyncConnection, message_id: UUID) -> Message:
    """Lock a message: two updates of one card must not overtake each other on the way to Slack."""
    columns = (M.id, M.channel, M.ts, M.attempted_at, M.rendered_revision)
    row = (await tx.execute(select(*columns).where(M.id == message_id).with_for_update())).one()
    return Message(*row)


async def move(tx: AsyncConnection, message_id: UUID, channel: str) -> None:
    """Move the message to another channel; a copy already posted in the old one is abandoned."""
    await tx.execute(insert(slack_pace).values(channel=channel).on_conflict_do_nothing())
    values = {"channel": channel, "ts": None, "rendered_revision": -1}
    await tx.execute(update(slack_messages).where(M.id == message_id).values(**values))


async def record_deleted(tx: AsyncConnection, message_id: UUID, ts: str) -> None:
    """Somebody deleted the message in Slack: keep a record of it as gone, so that it is posted again.

    Idempotent: a second run finds another `ts`.
    """
    # The card's job and a reply's job may find this at the same time; record the deleted message once.
    await lock(tx, message_id)
    dead = insert(slack_messages).from_select(
        ["id", "kind", "review_id", "channel", "ts", "attempted_at", "rendered_revision", "gone"],
        select(
            func.gen_random_uuid(), M.kind, M.review_id, M.channel, M.ts, M.attempted_at, M.rendered_revision, true()
        ).where(M.id == message_id, M.ts == ts),
    )
    await tx.execute(dead)
    gone = update(slack_messages).where(M.id == message_id, M.ts == ts)
    await tx.execute(gone.values(ts=None, rendered_revision=-1))


async def sent(tx: AsyncConnection, message_id: UUID, channel: str, ts: str, revision: int) -> None:
    """Record that Slack has the message and that it shows the review at `revision`."""
    values = {"channel": channel, "ts": ts, "rendered_revision": revision}
    await tx.execute(update(slack_messages).where(M.id == message_id).values(**values))


async def card_of(tx: AsyncConnection, review_id: UUID) -> tuple[str, str] | None:
    """Channel and ts of a review's card; None while Slack has none."""
    query = select(M.channel, M.ts).where(M.id == outbox_id(CARD, review_id), M.ts.is_not(None))
    row = (await tx.execute(query)).one_or_none()
    return (row.channel, row.ts) if row else None
