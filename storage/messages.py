"""Our own record of each Slack message: its id goes with the message, so that one posted twice can be told from one.

A message is written down as attempted before Slack is called, and its row is locked while it is.
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


# The channel's row comes first: the lane of a job is looked for among those.
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
    """Write down that a message is wanted, unless it is already; returns its outbox id."""
    message_id = outbox_id(kind, subject)
    await _want(tx, kind, [message_id], [review_id], [channel])
    return message_id


async def want_cards(tx: AsyncConnection, channels: Mapping[UUID, str]) -> None:
    """Write down in which channel the card of each of these reviews is wanted, unless it is already."""
    await _want(tx, CARD, [outbox_id(CARD, review) for review in channels], list(channels), list(channels.values()))


async def _want(
    tx: AsyncConnection, kind: str, ids: Sequence[UUID], reviews: Sequence[UUID | None], channels: Sequence[str]
) -> None:
    values = {"ids": list(ids), "kind": kind, "reviews": list(reviews), "channels": list(channels)}
    await tx.execute(text(WANT), values)


async def attempt(tx: AsyncConnection, message_id: UUID) -> Message:
    """Write down that a post is about to be tried; returns the message as it was, with when it was first tried."""
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
    """The message is to go to another channel; one that Slack has where it was is given up."""
    await tx.execute(insert(slack_pace).values(channel=channel).on_conflict_do_nothing())
    values = {"channel": channel, "ts": None, "rendered_revision": -1}
    await tx.execute(update(slack_messages).where(M.id == message_id).values(**values))


async def bury(tx: AsyncConnection, message_id: UUID, ts: str) -> None:
    """Somebody deleted the message in Slack: the dead copy is kept on record as gone, and it is to be posted anew.

    Runs twice: the second run finds another `ts`.
    """
    # Its card and a reply under it may find that at once, and there is one copy to keep.
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
    """Slack has the message, and it shows the review at `revision`."""
    values = {"channel": channel, "ts": ts, "rendered_revision": revision}
    await tx.execute(update(slack_messages).where(M.id == message_id).values(**values))


async def card_of(tx: AsyncConnection, review_id: UUID) -> tuple[str, str] | None:
    """Channel and ts of a review's card; None while Slack has none."""
    query = select(M.channel, M.ts).where(M.id == outbox_id(CARD, review_id), M.ts.is_not(None))
    row = (await tx.execute(query)).one_or_none()
    return (row.channel, row.ts) if row else None
