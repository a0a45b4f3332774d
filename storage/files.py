"""Stores what git reads in a patch, and finds the reviews whose patch has not been read.

The column `files` is a list; JSON null: git cannot read the patch; SQL NULL: nobody has read it yet.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.patch import ChangeKind, FileChange, Readings
from storage.tables import UNREAD_SQL, apv_reviews

T = apv_reviews.c


def files_json(patch: str | None, readings: Readings) -> object:
    """The value for the column `files`."""
    if not patch:
        return []
    if patch not in readings:
        return None
    files = readings[patch]
    return JSON.NULL if files is None else [asdict(file) for file in files]


def files_of(kept: list[dict[str, Any]] | None) -> tuple[FileChange, ...] | None:
    """The inverse; None for both kinds of null."""
    if kept is None:
        return None
    return tuple(FileChange(**{**file, "kind": ChangeKind(file["kind"])}) for file in kept)


async def patch(tx: AsyncConnection, review_id: UUID) -> str | None:
    """A review's diff."""
    found: str | None = (await tx.execute(select(T.patch_content).where(T.id == review_id))).scalar_one_or_none()
    return found


async def unread(tx: AsyncConnection, past: Sequence[UUID], limit: int) -> Sequence[UUID]:
    """Live reviews whose patch nobody has read yet, oldest first, except those in `past`."""
    query = select(T.id).where(text(UNREAD_SQL), T.digest.is_not(None), T.id.not_in(past))
    return (await tx.execute(query.order_by(T.created_at).limit(limit))).scalars().all()


async def keep(tx: AsyncConnection, review_id: UUID, patch: str | None, readings: Readings) -> bool:
    """Store the reading of a review that the caller has locked; False when it has one, or has another diff."""
    which = update(apv_reviews).where(T.id == review_id, T.files.is_(None), T.patch_content.is_not_distinct_from(patch))
    return (await tx.execute(which.values(files=files_json(patch, readings)))).rowcount == 1
