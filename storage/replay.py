"""Reads past reviews with their decisions, to replay them under another policy."""

from collections import defaultdict
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.apv import Apv, PatchStrategy, WargameVerdict
from bot.domain.auto import UNKNOWN
from bot.domain.replay import Cast, Past
from bot.domain.review import Choice
from storage import origins
from storage.reviews import STATE, T, review_of
from storage.tables import hitl_decisions

JUDGED = (T.wargame_verdict, T.wargame_confidence, T.details, T.metadata)
"""The columns that an automatic approval reads besides STATE; the diff is not among them."""


async def since(tx: AsyncConnection, moment: datetime) -> list[Past]:
    """Every review created since then, oldest first, with the decisions on its current version."""
    made = hitl_decisions.c
    query = (
        select(made.apv_id, made.reviewer_key, made.reviewer_name, made.reviewer_email, made.decision, made.created_at)
        .join(T.id.table, (T.id == made.apv_id) & (T.version == made.version))
        .where(T.created_at >= moment, made.withdrawn_at.is_(None))
        .order_by(made.created_at)
    )
    cast: dict[UUID, list[Cast]] = defaultdict(list)
    for made_one in await tx.execute(query):
        cast[made_one.apv_id].append(Cast(*made_one[1:4], Choice(made_one.decision), made_one.created_at))
    reviews = select(*STATE, *JUDGED).where(T.created_at >= moment, T.digest.is_not(None)).order_by(T.created_at)
    came_from = await origins.since(tx, moment)
    found = []
    for row in (await tx.execute(reviews)).mappings():
        review, details = review_of(row), row["details"]
        apv = Apv(
            severity=review.severity,
            package_name=review.package_name,
            package_ecosystem=review.package_ecosystem,
            repository=review.repository,
            severity_assumed=bool(details.get("severity_assumed")),
            kev=details.get("kev"),
            validation_passed=details.get("validation_passed"),
            patch_strategy=PatchStrategy(row["patch_strategy"]),
            wargame_verdict=WargameVerdict(row["wargame_verdict"]) if row["wargame_verdict"] else None,
            wargame_confidence=row["wargame_confidence"],
            patch_diff="present" if review.has_patch else None,
        )
        origin = came_from.get(review.id, UNKNOWN)
        found.append(Past(review, apv, tuple(cast[review.id]), row["metadata"], origin))
    return found
