"""Stores when each pull request was last checked, and finds the reviews that a GitHub webhook is about."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.apv import Json, Severity
from bot.domain.pull import Checks, Merging, PullState
from bot.domain.review import Status
from bot.jobs import OpenPull
from storage.tables import apv_reviews, github_deliveries

T = apv_reviews.c


def pull_json(pull: PullState) -> dict[str, Json]:
    """The JSON for the column `pull`."""
    return asdict(pull)


def pull_of(kept: dict[str, Any] | None) -> PullState | None:
    """The inverse of `pull_json`."""
    if kept is None:
        return None
    values = dict(kept) | {name: tuple(kept.get(name, ())) for name in ("failing", "reviewers")}
    values["checks"] = Checks(kept["checks"]) if kept.get("checks") else None
    values["merging"] = Merging(kept["merging"]) if kept.get("merging") else None
    return PullState(**values)


async def record_look(tx: AsyncConnection, review_id: UUID, began: datetime) -> None:
    """Store when the newest check began, by `clock`; the caller has locked the review."""
    await tx.execute(update(apv_reviews).where(T.id == review_id).values(pull_seen_at=began))


async def clock(tx: AsyncConnection) -> datetime:
    """The database's time, the same for all replicas."""
    moment: datetime = (await tx.execute(select(func.clock_timestamp()))).scalar_one()
    return moment


async def seen_at(tx: AsyncConnection, review_id: UUID) -> datetime | None:
    """When the newest recorded check began."""
    began: datetime | None = (await tx.execute(select(T.pull_seen_at).where(T.id == review_id))).scalar_one_or_none()
    return began


async def first_delivery(tx: AsyncConnection, delivery: str) -> bool:
    """Record a GitHub delivery; False for a duplicate."""
    row = insert(github_deliveries).values(id=delivery).on_conflict_do_nothing()
    return (await tx.execute(row.returning(github_deliveries.c.id))).one_or_none() is not None


@dataclass(frozen=True, slots=True)
class Pointer:
    """What a GitHub webhook is about: pull requests of a repository by number, branch (head or base) or commit."""

    repository: str
    numbers: frozenset[int] = frozenset()
    branches: frozenset[str] = frozenset()
    commits: frozenset[str] = frozenset()


# Numbers and head branches match reviews in any state; base branches and commits match open pull requests only.
ABOUT = """
SELECT id, severity FROM apv_reviews
WHERE lower(repository) = lower(:repository) AND pr_number = ANY(:numbers)
UNION
SELECT id, severity FROM apv_reviews
WHERE lower(repository) = lower(:repository) AND pr_branch = ANY(:branches) AND pr_number IS NOT NULL
UNION
SELECT id, severity FROM apv_reviews
WHERE lower(repository) = lower(:repository) AND status = 'pr_open'
    AND (pull ->> 'base' = ANY(:branches) OR pull ->> 'head' = ANY(:commits))
"""


async def about(tx: AsyncConnection, pointer: Pointer) -> list[tuple[UUID, Severity]]:
    """The reviews whose pull requests the webhook may be about."""
    values = {
        "repository": pointer.repository,
        "numbers": sorted(pointer.numbers),
        "branches": sorted(pointer.branches),
        "commits": sorted(pointer.commits),
    }
    return [(row.id, Severity(row.severity)) for row in await tx.execute(text(ABOUT), values)]


DUE = """
UPDATE apv_reviews SET pull_polled_at = :now WHERE id IN (
    SELECT id FROM apv_reviews
    WHERE status = 'pr_open' AND (
        pull_polled_at IS NULL OR pull_polled_at <= :before
        -- GitHub computes mergeability only when asked, and has the answer the next time.
        OR (pull ->> 'conflict' IS NULL AND pull_polled_at <= :window))
    ORDER BY pull_polled_at NULLS FIRST
    LIMIT greatest(0, :most - (
        SELECT count(*) FROM apv_reviews WHERE status = 'pr_open' AND pull_polled_at > :window))
    -- A replica that polls at the same time takes other rows.
    FOR UPDATE SKIP LOCKED
) RETURNING id, severity
"""


async def take_due(
    tx: AsyncConnection, *, now: datetime, before: datetime, window: datetime, most: int
) -> list[tuple[UUID, Severity]]:
    """Take the open pull requests last polled before `before`, and mark them as polled now.

    If GitHub had not computed mergeability yet, `window` counts instead of `before`. Oldest poll first, at most `most`
    polls since `window`.
    """
    rows = await tx.execute(text(DUE), {"now": now, "before": before, "window": window, "most": most})
    return [(row.id, Severity(row.severity)) for row in rows]


async def earlier_open(tx: AsyncConnection, review_id: UUID) -> Sequence[UUID]:
    """Earlier reviews of the same APV whose pull request is open, oldest first."""
    query = select(T.id).where(_earlier(review_id), T.status == Status.PR_OPEN.value)
    return (await tx.execute(query.order_by(T.created_at))).scalars().all()


OPENING = """
SELECT (convert_from(payload, 'UTF8')::jsonb ->> 'review_id')::uuid FROM pgqueuer
WHERE entrypoint = :task AND status IN ('queued', 'picked')
"""


async def earlier_opening(tx: AsyncConnection, review_id: UUID) -> bool:
    """Whether a job that opens the pull request of an earlier review of the same APV is queued or running."""
    found = await tx.execute(text(OPENING), {"task": OpenPull.task})
    query = select(T.id).where(_earlier(review_id), T.status == Status.APPROVED.value)
    return not set(found.scalars()).isdisjoint((await tx.execute(query)).scalars())


def _earlier(review_id: UUID) -> ColumnElement[bool]:
    me = select(T.identity, T.created_at).where(T.id == review_id).subquery()
    return and_(T.identity == me.c.identity, T.created_at <= me.c.created_at, T.id != review_id)
