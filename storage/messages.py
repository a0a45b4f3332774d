"""Our record of each Slack message. Slack gets its id with the post, so a retry can find out whether it was posted.

A message is recorded as attempted before Slack is called, and its row is locked during the call.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

from sqlalchemy import Select, func, select, text, true, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.tables import slack_messages, slack_pace

M = slack_messages.c

CARD, REPLY, ALERT = "card", "reply", "alert"
MOVED = "moved"
"""A former card that links the review's new one. Of the rows of kind CARD that are not gone, the newest is the card."""


def outbox_id(kind: str, subject: UUID) -> UUID:
    """The id that a message carries: the same for every run of the job that posts it."""
    return uuid5(NAMESPACE_URL, f"apv-bot:{kind}:{subject}")


@dataclass(frozen=True, slots=True)
class Message:
    """A message as far as we know. `ts` is None until Slack has confirmed it."""

    id: UUID
    kind: str
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


# The job changes the old row: a job locks that row while it calls Slack, and a click must not wait for it.
PLACE = """
WITH here AS (
    SELECT channel, created_at FROM slack_messages WHERE review_id = :review AND kind = 'card' AND NOT gone
    ORDER BY created_at DESC LIMIT 1
), known AS (
    INSERT INTO slack_pace (channel) SELECT CAST(:channel AS text) FROM here WHERE channel <> :channel
    ON CONFLICT DO NOTHING
)
INSERT INTO slack_messages (id, kind, review_id, channel, created_at)
SELECT :id, 'card', :review, :channel, greatest(clock_timestamp(), created_at + interval '1 microsecond') FROM here
WHERE channel <> :channel
"""


async def place_card(tx: AsyncConnection, review_id: UUID, channel: str) -> bool:
    """Want the review's card in another channel from now on; False if it is there already. The review is locked.

    The new card has an id of its own: when a card moves back, the channel still holds the old one.
    """
    values = {"id": uuid4(), "review": review_id, "channel": channel}
    return (await tx.execute(text(PLACE), values)).rowcount > 0


def _cards(review_id: UUID) -> Select[tuple[UUID, str, str | None]]:
    """The review's cards, newest first."""
    of_review = (M.review_id == review_id, M.kind == CARD, M.gone.is_(False))
    return select(M.id, M.channel, M.ts).where(*of_review).order_by(M.created_at.desc())


async def begin_card(tx: AsyncConnection, review_id: UUID, channel: str) -> UUID:
    """Return the outbox id of a review's card; record that one is wanted in this channel if it has none. Idempotent."""
    card = (await tx.execute(_cards(review_id).limit(1))).one_or_none()
    return card.id if card else await begin(tx, CARD, review_id, review_id, channel)


async def former_cards(tx: AsyncConnection, review_id: UUID) -> list[UUID]:
    """The former cards that do not link the new one yet, oldest first."""
    return [card.id for card in (await tx.execute(_cards(review_id).offset(1))).all()][::-1]


async def leave(tx: AsyncConnection, message_id: UUID, ts: str | None = None) -> None:
    """Record that a former card links the new one, or that nobody can read or change it any more."""
    values = {"kind": MOVED} | ({"ts": ts} if ts else {})
    await tx.execute(update(slack_messages).where(M.id == message_id).values(**values))


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
    columns = (M.id, M.kind, M.channel, M.ts, M.attempted_at, M.rendered_revision)
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
    card = (await tx.execute(_cards(review_id).limit(1))).one_or_none()
    return (card.channel, card.ts) if card and card.ts is not None else None
