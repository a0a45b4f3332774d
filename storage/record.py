"""Writing down what happened: review, decision, audit entries and delivery key in one statement, then the jobs.

The review row is locked by the caller (`reviews.lock`), so what was read is what is replaced.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.apv import Json
from bot.domain.review import Action, Choice, Review, Vote
from bot.jobs import Job
from storage import audit, jobs


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRow:
    """One person's decision as it is kept."""

    id: UUID
    choice: Choice
    reviewer_key: str
    reviewer_name: str
    reviewer_email: str | None
    reviewer_verified: bool
    source: str
    comments: str
    confidence: float | None
    action_taken: Action | None
    modifications: Json = None
    metadata: dict[str, Json] | None = None


@dataclass(frozen=True, slots=True)
class Settlement:
    """What became of the decisions of this review that were still under way."""

    action: Action
    notes: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """All that one thing a person or program did leaves behind."""

    review: Review
    head: audit.Head
    entries: Sequence[audit.Entry]
    now: datetime
    touched: bool
    """The review differs from what was locked (a refusal leaves only an entry)."""
    decision: DecisionRow | None = None
    settlement: Settlement | None = None
    jobs: Sequence[Job] = ()
    delivery: bytes | None = None
    """Identifies the request that asked; when it was seen before, nothing is written."""


RECORD = """
WITH delivered AS (
    INSERT INTO slack_deliveries (key) SELECT $1::bytea WHERE $1::bytea IS NOT NULL
    ON CONFLICT DO NOTHING RETURNING 1
), fresh AS (
    SELECT 1 WHERE $1::bytea IS NULL OR EXISTS (SELECT 1 FROM delivered)
), review AS (
    UPDATE apv_reviews SET
        status = $3, revision = $4, votes = $5::jsonb, closed_at = $6,
        escalated_by = $7, escalated_by_name = $8, escalated_at = $9, claimed_by = $10, claimed_by_name = $11,
        pr_number = $12, pr_url = $13, pr_branch = $14, note = $15,
        audit_seq = $16, audit_head = $17, updated_at = coalesce($18, updated_at)
    FROM fresh WHERE id = $2::uuid
), settled AS (
    UPDATE hitl_decisions SET action_taken = $19, outcome_notes = $20, action_completed_at = $21
    FROM fresh
    WHERE $19::text IS NOT NULL AND apv_id = $2::uuid AND (action_taken IS NULL OR action_taken = 'failed')
), decided AS (
    INSERT INTO hitl_decisions (
        id, apv_id, apv_code, decision, reviewer_key, reviewer_name, reviewer_email, reviewer_verified, source,
        comments, confidence_override, action_taken, action_completed_at, modifications, metadata, digest, version,
        created_at)
    SELECT d.* FROM fresh, jsonb_to_recordset($22::jsonb) AS d(
        id uuid, apv_id uuid, apv_code text, decision text, reviewer_key text, reviewer_name text,
        reviewer_email text, reviewer_verified boolean, source text, comments text, confidence_override float8,
        action_taken text, action_completed_at timestamptz, modifications jsonb, metadata jsonb, digest text,
        version int, created_at timestamptz)
), logged AS (
    INSERT INTO audit_log (id, at, apv_id, apv_code, seq, kind, actor, source, sentence, detail, previous, hash)
    SELECT a.* FROM fresh, jsonb_to_recordset($23::jsonb) AS a(
        id uuid, at timestamptz, apv_id uuid, apv_code text, seq int, kind text, actor text, source text,
        sentence text, detail jsonb, previous text, hash text)
)
SELECT count(*) FROM fresh
"""


async def record(tx: AsyncConnection, change: Change) -> bool:
    """Write the change and queue its jobs; False when the same delivery was recorded before and nothing is written."""
    review, head, entries = change.review, change.head, []
    for item in change.entries:
        head, row = audit.link(head, item, review.id, review.code)
        entries.append(row)
    settlement = change.settlement
    result = await tx.exec_driver_sql(
        RECORD,
        (
            change.delivery,
            review.id,
            review.status.value,
            review.revision,
            json.dumps([vote_json(v) for v in review.votes]),
            review.closed_at,
            review.escalated_by,
            review.escalated_by_name,
            review.escalated_at,
            review.claimed_by,
            review.claimed_by_name,
            review.pr_number,
            review.pr_url,
            review.pr_branch,
            review.note,
            head.seq,
            head.hash,
            change.now if change.touched else None,
            settlement.action.value if settlement else None,
            settlement.notes if settlement else None,
            change.now,
            json.dumps([_decision_json(change, change.decision)] if change.decision else []),
            json.dumps(entries),
        ),
    )
    if not result.scalar_one():
        return False
    await jobs.enqueue(tx, [(job, review.severity) for job in change.jobs])
    return True


def vote_json(vote: Vote) -> dict[str, Json]:
    """A vote in force, as the review row holds it."""
    return {
        "person": vote.person,
        "name": vote.name,
        "at": vote.at.isoformat(),
        "lead_after_escalation": vote.lead_after_escalation,
    }


def _decision_json(change: Change, decision: DecisionRow) -> dict[str, Json]:
    review = change.review
    return {
        "id": str(decision.id),
        "apv_id": str(review.id),
        "apv_code": review.code,
        "decision": decision.choice.value,
        "reviewer_key": decision.reviewer_key,
        "reviewer_name": decision.reviewer_name,
        "reviewer_email": decision.reviewer_email,
        "reviewer_verified": decision.reviewer_verified,
        "source": decision.source,
        "comments": decision.comments,
        "confidence_override": decision.confidence,
        "action_taken": decision.action_taken.value if decision.action_taken else None,
        "action_completed_at": change.now.isoformat() if decision.action_taken else None,
        "modifications": decision.modifications,
        "metadata": decision.metadata or {},
        "digest": review.digest,
        "version": review.version,
        "created_at": change.now.isoformat(),
    }
