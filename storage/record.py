"""Records what happened: reviews, decisions, audit entries, delivery keys and jobs, in one statement.

The caller has locked the review rows (`storage.reviews`), or names the row versions it read; others are not written.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from pydantic_core import to_json
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.apv import Json
from bot.domain.review import Action, Choice, Review, Vote
from bot.jobs import Job
from storage import audit, jobs, pulls
from storage.database import CommitUnknown, refused, rings


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRow:
    """One person's decision, as stored."""

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
    closing: bool
    """The decision closed the review."""
    modifications: Json = None
    metadata: dict[str, Json] | None = None


@dataclass(frozen=True, slots=True)
class Settlement:
    """The outcome of this review's decisions whose outcome was still open."""

    action: Action
    notes: str | None = None


@dataclass(frozen=True, slots=True)
class Void:
    """The people whose approvals of the current version no longer count, by key, and why."""

    voters: tuple[str, ...]
    notes: str


PULL_ACTIONS = "'pr_opened', 'pr_merged', 'pr_closed'"
"""A later outcome among these replaces an earlier one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Everything that one action of a person or program changes."""

    review: Review
    head: audit.Head
    entries: Sequence[audit.Entry]
    now: datetime
    touched: bool
    """The review differs from what was locked (a refusal leaves only an entry)."""
    decision: DecisionRow | None = None
    settlement: Settlement | None = None
    void: Void | None = None
    restarted: bool = False
    """The deadline starts again: `asked_at` and `due_at` of the review are new."""
    jobs: Sequence[Job] = ()
    delivery: bytes | None = None
    """Identifies the request; nothing is written for a duplicate."""


GONE = """(f.void IS NOT NULL AND d.decision = 'approve' AND d.version = f.version AND d.withdrawn_at IS NULL
    AND f.void ? d.reviewer_key)"""
"""An approval that no longer counts. Whatever else is settled, this is its outcome."""

RECORD = f"""
WITH change AS (
    SELECT * FROM jsonb_to_recordset($1::jsonb) AS c(
        id uuid, delivery text, touched boolean, status text, revision int, votes jsonb, closed_at timestamptz,
        escalated_by text, escalated_by_name text, escalated_at timestamptz, claimed_by text, claimed_by_name text,
        snoozed_until timestamptz, snooze_reason text,
        pr_number int, pr_url text, pr_branch text, pull jsonb, hold text, note text,
        audit_seq int, audit_head text, now timestamptz,
        settled text, settled_notes text, version int, void jsonb, void_notes text,
        restarted boolean, asked_at timestamptz, due_at timestamptz, seen text)
), held AS (
    SELECT r.id FROM apv_reviews AS r JOIN change AS c ON c.id = r.id AND (c.seen IS NULL OR c.seen = r.xmin::text)
    FOR NO KEY UPDATE OF r SKIP LOCKED
), delivered AS (
    INSERT INTO slack_deliveries (key)
    SELECT decode(delivery, 'hex') FROM change WHERE delivery IS NOT NULL AND id IN (SELECT id FROM held)
    ON CONFLICT DO NOTHING RETURNING encode(key, 'hex') AS delivery
), fresh AS (
    SELECT * FROM change
    WHERE id IN (SELECT id FROM held) AND (delivery IS NULL OR delivery IN (SELECT delivery FROM delivered))
), review AS (
    UPDATE apv_reviews AS r SET
        status = f.status, revision = f.revision, votes = f.votes, closed_at = f.closed_at,
        escalated_by = f.escalated_by, escalated_by_name = f.escalated_by_name, escalated_at = f.escalated_at,
        claimed_by = f.claimed_by, claimed_by_name = f.claimed_by_name,
        snoozed_until = f.snoozed_until, snooze_reason = f.snooze_reason,
        clock_at = CASE
            WHEN f.restarted OR f.snoozed_until IS DISTINCT FROM r.snoozed_until THEN NULL ELSE r.clock_at END,
        asked_at = CASE WHEN f.restarted THEN f.asked_at ELSE r.asked_at END,
        due_at = CASE WHEN f.restarted THEN f.due_at ELSE r.due_at END,
        reminders_told = CASE WHEN f.restarted THEN 0 ELSE r.reminders_told END,
        steps_told = CASE WHEN f.restarted THEN 0 ELSE r.steps_told END,
        pr_number = f.pr_number, pr_url = f.pr_url, pr_branch = f.pr_branch,
        pull = f.pull, hold = f.hold, note = f.note,
        audit_seq = f.audit_seq, audit_head = f.audit_head,
        updated_at = CASE WHEN f.touched THEN f.now ELSE r.updated_at END
    FROM fresh AS f WHERE r.id = f.id
), settled AS (
    UPDATE hitl_decisions AS d
    SET action_taken = CASE WHEN {GONE} THEN 'recorded' ELSE f.settled END,
        outcome_notes = CASE WHEN {GONE} THEN f.void_notes ELSE f.settled_notes END,
        action_completed_at = f.now,
        withdrawn_at = CASE WHEN {GONE} THEN f.now ELSE d.withdrawn_at END
    FROM fresh AS f
    WHERE (f.settled IS NOT NULL OR f.void IS NOT NULL) AND d.apv_id = f.id
        AND ({GONE} OR (f.settled IS NOT NULL AND (d.action_taken IS NULL OR d.action_taken = 'failed'
            OR (f.settled IN ({PULL_ACTIONS}) AND d.action_taken IN ({PULL_ACTIONS})))))
), decided AS (
    INSERT INTO hitl_decisions (
        id, apv_id, apv_code, decision, reviewer_key, reviewer_name, reviewer_email, reviewer_verified, source,
        comments, confidence_override, action_taken, action_completed_at, modifications, metadata, digest, version,
        created_at, closing)
    SELECT d.* FROM jsonb_to_recordset($2::jsonb) AS d(
        id uuid, apv_id uuid, apv_code text, decision text, reviewer_key text, reviewer_name text,
        reviewer_email text, reviewer_verified boolean, source text, comments text, confidence_override float8,
        action_taken text, action_completed_at timestamptz, modifications jsonb, metadata jsonb, digest text,
        version int, created_at timestamptz, closing boolean)
    WHERE d.apv_id IN (SELECT id FROM fresh)
), logged AS (
    INSERT INTO audit_log (id, at, apv_id, apv_code, seq, kind, actor, source, sentence, detail, previous, hash)
    SELECT a.* FROM jsonb_to_recordset($3::jsonb) AS a(
        id uuid, at timestamptz, apv_id uuid, apv_code text, seq int, kind text, actor text, source text,
        sentence text, detail jsonb, previous text, hash text)
    WHERE a.apv_id IN (SELECT id FROM fresh) ORDER BY a.seq
), job AS (
    SELECT j.* FROM jsonb_to_recordset($4::jsonb) AS {jobs.JOB} WHERE j.review_id IN (SELECT id FROM fresh)
), {jobs.QUEUED}
SELECT id, id IN (SELECT id FROM fresh) AS written FROM held
"""  # noqa: S608 - of constants


async def record(
    tx: AsyncConnection, changes: Sequence[Change], seen: Mapping[UUID, str] | None = None
) -> dict[UUID, bool]:
    """Write the changes, at most one per review, and queue their jobs; returns for each review whether it was written.

    False: a duplicate delivery. `seen` is for reviews that are not locked: one whose row has changed since, or that is
    locked by somebody else, is missing from the result. With `seen` the statement commits on its own, and raises
    CommitUnknown when it is unknown whether the commit succeeded.
    """
    reviews, decisions, entries = [], [], []
    queued: list[dict[str, Json]] = []
    for change in changes:
        head = change.head
        for item in change.entries:
            head, row = audit.link(head, item, change.review.id, change.review.code)
            entries.append(row)
        reviews.append(_review_json(change, head) | {"seen": seen[change.review.id] if seen else None})
        if change.decision:
            decisions.append(_decision_json(change, change.decision))
        queued += [jobs.as_row(n, job, change.review.severity) for n, job in enumerate(change.jobs, len(queued))]
    rows = tuple(to_json(listed).decode() for listed in (reviews, decisions, entries, queued))
    try:
        written = await tx.exec_driver_sql(RECORD, rows)
    except BaseException as error:
        if seen is None or refused(error):
            raise
        raise CommitUnknown from error
    if queued or any(change.touched for change in changes):
        rings(tx)
    return {row.id: row.written for row in written}


def _review_json(change: Change, head: audit.Head) -> dict[str, Json]:
    review, settlement = change.review, change.settlement
    return {
        "id": str(review.id),
        "delivery": change.delivery.hex() if change.delivery else None,
        "touched": change.touched,
        "status": review.status.value,
        "revision": review.revision,
        "votes": [vote_json(v) for v in review.votes],
        "closed_at": _iso(review.closed_at),
        "escalated_by": review.escalated_by,
        "escalated_by_name": review.escalated_by_name,
        "escalated_at": _iso(review.escalated_at),
        "claimed_by": review.claimed_by,
        "claimed_by_name": review.claimed_by_name,
        "snoozed_until": _iso(review.snoozed_until),
        "snooze_reason": review.snooze_reason,
        "pr_number": review.pr_number,
        "pr_url": review.pr_url,
        "pr_branch": review.pr_branch,
        "pull": pulls.pull_json(review.pull) if review.pull else None,
        "hold": review.hold,
        "note": review.note,
        "audit_seq": head.seq,
        "audit_head": head.hash,
        "now": change.now.isoformat(),
        "settled": settlement.action.value if settlement else None,
        "settled_notes": settlement.notes if settlement else None,
        "version": review.version,
        "void": change.void.voters if change.void else None,
        "void_notes": change.void.notes if change.void else None,
        "restarted": change.restarted,
        "asked_at": _iso(review.asked_at),
        "due_at": _iso(review.due_at),
    }


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def vote_json(vote: Vote) -> dict[str, Json]:
    """The JSON of a valid vote in the review row."""
    return {
        "person": vote.person,
        "name": vote.name,
        "at": vote.at.isoformat(),
        "lead_after_escalation": vote.lead_after_escalation,
        "groups": vote.groups,
        "human": vote.human,
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
        "closing": decision.closing,
    }
