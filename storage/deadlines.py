"""When a review that awaits a decision is to be looked at again, and what has been said of it.

`clock_at` is the next moment at which time alone changes something; empty: nobody has worked it out yet.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.deadlines import Told
from storage.tables import AWAITING_SQL, apv_reviews

T = apv_reviews.c
NEVER = datetime(9999, 1, 1, tzinfo=UTC)


async def due(tx: AsyncConnection, now: datetime, *, limit: int) -> Sequence[UUID]:
    """Reviews to be looked at, those that nobody has looked at yet first."""
    query = select(T.id).where(text(AWAITING_SQL), T.digest.is_not(None), or_(T.clock_at.is_(None), T.clock_at <= now))
    return (await tx.execute(query.order_by(T.clock_at.nulls_first()).limit(limit))).scalars().all()


async def told(tx: AsyncConnection, review_id: UUID, now: datetime) -> Told | None:
    """What has been said of a review that the caller has locked; None when it is not to be looked at now."""
    query = select(T.reminders_told, T.steps_told, T.clock_at).where(T.id == review_id)
    row = (await tx.execute(query)).one()
    waits = row.clock_at is not None and row.clock_at > now
    return None if waits else Told(row.reminders_told, row.steps_told)


async def keep(tx: AsyncConnection, review_id: UUID, said: Told, next_at: datetime | None) -> None:
    """Remember what has been said, and when to look again; None: not until something else changes."""
    values = {"reminders_told": said.reminders, "steps_told": said.steps, "clock_at": next_at or NEVER}
    await tx.execute(update(apv_reviews).where(T.id == review_id).values(values))


async def restart(tx: AsyncConnection) -> None:
    """The policy has changed: everything that waits is worked out anew."""
    await tx.execute(update(apv_reviews).where(text(AWAITING_SQL), T.clock_at.is_not(None)).values(clock_at=None))
