"""Finds what an earlier API request recorded: by the same body, or by the same idempotency key."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.apv import Json

# Only of the version in force: a vote on an earlier one is void, and so is a withdrawn one. The last of several votes
# is the one that stands.
SAME_BODY = text("""
SELECT d.id FROM hitl_decisions AS d JOIN apv_reviews AS r ON r.id = d.apv_id
WHERE d.metadata ? 'request' AND d.metadata ->> 'request' = :request AND d.created_at > :since
    AND d.version = r.version AND d.withdrawn_at IS NULL
ORDER BY d.created_at DESC LIMIT 1""")
# A refusal is recorded in the chain of the review that was asked for, so its index finds it.
SAME_KEY = text("""
(SELECT id, created_at AS at, true AS decided, metadata AS kept, '' AS sentence FROM hitl_decisions
    WHERE metadata ? 'idempotency_key' AND metadata ->> 'idempotency_key' = :key ORDER BY created_at DESC LIMIT 1)
UNION ALL
(SELECT id, at, false, detail, sentence FROM audit_log
    WHERE apv_id = :review AND kind = 'decision.refused' AND detail ->> 'idempotency_key' = :key
    ORDER BY seq DESC LIMIT 1)
ORDER BY at DESC LIMIT 1""")


@dataclass(frozen=True, slots=True)
class Keyed:
    """What the last request with a key left: a decision with this id, or a refusal with its sentence."""

    id: UUID
    at: datetime
    decided: bool
    kept: Mapping[str, Json]
    """The decision's metadata, or the detail of the refusal's audit entry."""
    sentence: str


async def of_body(tx: AsyncConnection, request: str, since: datetime) -> UUID | None:
    """The id of the decision on the version in force that the same body made after `since`."""
    found: UUID | None = (await tx.execute(SAME_BODY, {"request": request, "since": since})).scalar_one_or_none()
    return found


async def of_key(tx: AsyncConnection, key: str, review_id: UUID) -> Keyed | None:
    """The last decision with this key on any review, or the last refusal with it on this one."""
    row = (await tx.execute(SAME_KEY, {"key": key, "review": review_id})).one_or_none()
    return Keyed(*row) if row else None
