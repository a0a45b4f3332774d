"""Keeps the base that each version of a patch was shown against. The table is append-only."""

from dataclasses import asdict
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.base import Base, BaseFile
from storage.tables import apv_bases

T = apv_bases.c


async def keep(tx: AsyncConnection, review_id: UUID, version: int, base: Base, now: datetime) -> None:
    """Keep the base of a version, unless one is kept already."""
    files = {path: asdict(file) if file else None for path, file in base.files.items()}
    row = insert(apv_bases).values(apv_id=review_id, version=version, commit=base.commit, files=files, read_at=now)
    await tx.execute(row.on_conflict_do_nothing())


async def kept(tx: AsyncConnection, review_id: UUID, version: int) -> Base | None:
    """The base of a version; None if it was not read in time."""
    row = (await tx.execute(select(T.commit, T.files).where(T.apv_id == review_id, T.version == version))).one_or_none()
    if row is None:
        return None
    return Base(row.commit, {path: BaseFile(**file) if file else None for path, file in row.files.items()})
