"""Finds the reviews whose deadline has passed or whose next timed action is due.

`clock_at` is the time of that action; null: not computed yet.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import Select, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.deadlines import Said
from storage.tables import AWAITING_SQL, UNTOLD_SQL, apv_reviews

T = apv_reviews.c
NEVER = datetime(9999, 1, 1, tzinfo=UTC)
AWAITING = (text(AWAITING_SQL), T.digest.is_not(None))


async def overdue(tx: AsyncConnection, now: datetime, past: Sequence[UUID], *, limit: int) -> Sequence[UUID]:
    """Reviews that missed their deadline and were not announced yet, except those in `past`."""
    late = select(T.id).where(T.due_at < now, text(UNTOLD_SQL), *AWAITING)
    return await _ids(tx, late.order_by(T.due_at), past, limit)


async def mark_breached(tx: AsyncConnection, review_id: UUID, now: datetime) -> bool:
    """Mark one overdue review; False when another replica already did, or somebody has decided."""
    mark = update(apv_reviews).where(T.id == review_id, T.due_at < now, text(UNTOLD_SQL), text(AWAITING_SQL))
    return (await tx.execute(mark.values(breached_at=now))).rowcount == 1


async def due(tx: AsyncConnection, now: datetime, past: Sequence[UUID], *, limit: int) -> Sequence[UUID]:
    """Reviews whose `clock_at` has come, earliest first, except those in `past`."""
    return await _ids(tx, select(T.id).where(T.clock_at <= now, *AWAITING).order_by(T.clock_at), past, limit)


async def unreckoned(tx: AsyncConnection, past: Sequence[UUID], *, limit: int) -> Sequence[UUID]:
    """Reviews without a `clock_at`, except those in `past`."""
    return await _ids(tx, select(T.id).where(T.clock_at.is_(None), *AWAITING), past, limit)


async def _ids(tx: AsyncConnection, query: Select[UUID], past: Sequence[UUID], limit: int) -> Sequence[UUID]:
    return (await tx.execute(query.where(T.id.not_in(past)).limit(limit))).scalars().all()


async def said(tx: AsyncConnection, review_id: UUID, now: datetime) -> Said | None:
    """What has been announced about a review that the caller has locked; None when nothing is due now."""
    query = select(T.reminders_told, T.steps_told, T.clock_at > now).where(T.id == review_id)
    reminders, steps, waits = (await tx.execute(query)).one()
    return None if waits else Said(reminders, steps)


async def keep(tx: AsyncConnection, review_id: UUID, said: Said, next_at: datetime | None) -> None:
    """Store what has been announced and when to look again; None: not until something else changes."""
    values = {"reminders_told": said.reminders, "steps_told": said.steps, "clock_at": next_at or NEVER}
    await tx.execute(update(apv_reviews).where(T.id == review_id).values(values))


async def restart(tx: AsyncConnection) -> None:
    """Let the clock of every open review be computed again, because the policy has changed."""
    await tx.execute(update(apv_reviews).where(text(AWAITING_SQL), T.clock_at.is_not(None)).values(clock_at=None))
