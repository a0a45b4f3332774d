"""Decision records, each with the content that was decided on."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, RowMapping, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.apv import Json
from bot.domain.review import Choice
from storage.tables import hitl_decisions

# Rows of other programs have no stored content; the review's columns are used instead.
RECORD = """
SELECT d.id, d.apv_id, d.apv_code, d.decision, d.comments, d.confidence_override, d.modifications, d.reviewer_name,
    d.reviewer_email, d.reviewer_verified, d.source, d.action_taken, d.outcome_notes, d.created_at,
    d.action_completed_at, d.version, d.digest,
    CASE WHEN c.apv_id IS NULL THEN r.cve_id ELSE c.content ->> 'cve_id' END AS cve_id,
    CASE WHEN c.apv_id IS NULL THEN r.severity ELSE c.content ->> 'severity' END AS severity,
    CASE WHEN c.apv_id IS NULL THEN r.patch_strategy ELSE c.content ->> 'patch_strategy' END AS patch_strategy,
    CASE WHEN c.apv_id IS NULL THEN r.wargame_verdict ELSE c.content ->> 'wargame_verdict' END AS wargame_verdict
FROM hitl_decisions AS d
JOIN apv_reviews AS r ON r.id = d.apv_id
LEFT JOIN apv_contents AS c ON c.apv_id = d.apv_id AND c.version = d.version
"""
BY_ID = text(f"{RECORD} WHERE d.id = :id")
OF_REVIEW = text(f"{RECORD} WHERE d.apv_id = :id ORDER BY d.created_at, d.id")


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """One stored decision. `confidence_override` is 0-1."""

    id: UUID
    apv_id: UUID
    apv_code: str
    decision: str
    comments: str
    confidence_override: float | None
    modifications: Json
    reviewer_name: str
    reviewer_email: str | None
    reviewer_verified: bool
    source: str
    action_taken: str | None
    outcome_notes: str | None
    created_at: datetime
    action_completed_at: datetime | None
    version: int
    digest: str
    cve_id: str | None
    severity: str
    patch_strategy: str
    wargame_verdict: str | None


def _record(row: RowMapping) -> DecisionRecord:
    values: dict[str, Any] = dict(row)
    return DecisionRecord(**values)


async def get(tx: AsyncConnection, decision_id: UUID) -> DecisionRecord | None:
    """One decision by its id."""
    row = (await tx.execute(BY_ID, {"id": decision_id})).mappings().one_or_none()
    return _record(row) if row else None


async def of_review(tx: AsyncConnection, review_id: UUID) -> list[DecisionRecord]:
    """All decisions on a review, oldest first."""
    return [_record(row) for row in (await tx.execute(OF_REVIEW, {"id": review_id})).mappings()]


@dataclass(frozen=True, slots=True)
class Approval:
    """One recorded approval. `reviewer_key` is a Slack user id, `token:<name>` or `claimed:<e-mail or name>`."""

    reviewer_name: str
    reviewer_key: str
    reviewer_email: str | None
    justification: str
    at: datetime


async def approvals(tx: AsyncConnection, review_id: UUID, voters: Sequence[str], version: int) -> list[Approval]:
    """The approvals in force: those of these voters on this version, oldest first, each voter's last one."""
    made = hitl_decisions.c
    query = (
        select(made.reviewer_name, made.reviewer_key, made.reviewer_email, made.comments, made.created_at)
        .where(*_in_force(review_id, version), made.reviewer_key.in_(voters))
        .order_by(made.created_at)
    )
    last = {row.reviewer_key: Approval(*row) for row in await tx.execute(query)}
    return sorted(last.values(), key=lambda approval: approval.at)


async def approvers(tx: AsyncConnection, review_id: UUID, version: int, digest: str) -> list[tuple[str, UUID]]:
    """The approvals of this content that were not withdrawn or voided: the voter's key, and the decision's id."""
    made = hitl_decisions.c
    query = select(made.reviewer_key, made.id).where(*_in_force(review_id, version), made.digest == digest)
    return [(row.reviewer_key, row.id) for row in await tx.execute(query)]


def _in_force(review_id: UUID, version: int) -> tuple[ColumnElement[bool], ...]:
    made = hitl_decisions.c
    approve = made.decision == Choice.APPROVE.value
    return made.apv_id == review_id, made.version == version, approve, made.withdrawn_at.is_(None)
