"""Stores whether pushes to GitHub are paused, for all replicas."""

from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.tables import push_pause


async def reason(tx: AsyncConnection) -> str | None:
    """Why pushes are paused; None while they are not."""
    return (await tx.execute(select(push_pause.c.why))).scalar_one_or_none()


async def begin(tx: AsyncConnection, by: str, why: str, now: datetime) -> bool:
    """Pause pushes; False if they already are."""
    row = insert(push_pause).values(since=now, paused_by=by, why=why).on_conflict_do_nothing()
    return (await tx.execute(row.returning(push_pause.c.since))).one_or_none() is not None


async def end(tx: AsyncConnection) -> bool:
    """End the pause; False if pushes were not paused."""
    return (await tx.execute(delete(push_pause).returning(push_pause.c.since))).one_or_none() is not None
