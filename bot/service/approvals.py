"""Checks before a push or a merge that the record has a review's approval.

A program that can change the review cannot change the record: its tables are append-only, and each entry holds the hash
of the one before.
"""

from collections.abc import Mapping, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.apv import Json
from bot.domain.events import Kind
from storage import audit, decisions
from storage.audit import Chain
from storage.reviews import Whole

CONTENT = frozenset({Kind.SUBMITTED, Kind.REVISED, Kind.SWAPPED, Kind.BASE_MOVED})
"""The events after which another version is voted on."""
UNDONE = CONTENT | {Kind.VOTES_VOIDED, Kind.REOPENED}
"""The events after which an earlier approval of the review may no longer stand."""
CLOSED = frozenset({Kind.APPROVED, Kind.REJECTED, Kind.CHANGES_REQUESTED})
"""The events after which new content ends an escalation."""


async def stands(tx: AsyncConnection, whole: Whole) -> bool:
    """Whether the record says that the people whose votes the row has approved this content; it is intact."""
    review = whole.review
    entries = [audit.as_json(row) for row in await audit.history(tx, review.id)]
    if audit.broken_links(Chain(review.code, whole.head, entries)):
        return False
    content, approval = _last(entries, CONTENT), _last(entries, {Kind.APPROVED})
    if content is None or approval is None or approval < (_last(entries, UNDONE) or 0):
        return False
    told = entries[content]["detail"]
    if not isinstance(told, Mapping) or (told.get("version"), told.get("digest")) != (review.version, review.digest):
        return False
    if _escalated(entries) and review.escalated_at is None:
        return False
    voters = {vote.person for vote in review.votes}
    # Any program may insert a decision; only the record tells who made one.
    kept = await decisions.approvers(tx, review.id, review.version, review.digest)
    return voters == {key for key, decision in kept if (key, str(decision)) in _made(entries)}


async def opened(tx: AsyncConnection, whole: Whole) -> bool:
    """Whether the record tells that the bot opened this pull request, with this approved commit."""
    review = whole.review
    entries = [audit.as_json(row) for row in await audit.history(tx, review.id)]
    if not whole.intact or review.pull is None or audit.broken_links(Chain(review.code, whole.head, entries)):
        return False
    place = _last(entries, {Kind.PULL_OPENED})
    told = entries[place]["detail"] if place is not None else None
    if not isinstance(told, Mapping):
        return False
    # Entries of earlier releases name only the head, which was the approved commit.
    head = told.get("approved_head", told.get("head_sha"))
    return (told.get("number"), head) == (review.pr_number, review.pull.approved_head)


def _made(entries: Sequence[Mapping[str, Json]]) -> set[tuple[Json, Json]]:
    """Who made which decision, as the record tells it."""
    details = ((entry["actor"], entry["detail"]) for entry in entries)
    return {(actor, detail.get("decision_id")) for actor, detail in details if isinstance(detail, Mapping)}


def _escalated(entries: Sequence[Mapping[str, Json]]) -> bool:
    """Whether the record has an escalation that neither new content nor a lead's reopening has ended."""
    escalated = closed = False
    for kind in (entry["kind"] for entry in entries):
        if kind == Kind.ESCALATED:
            escalated, closed = True, False
        elif kind == Kind.REOPENED or (kind in CONTENT and closed):
            escalated = False
        closed = closed or kind in CLOSED
    return escalated


def _last(entries: Sequence[Mapping[str, Json]], kinds: frozenset[Kind] | set[Kind]) -> int | None:
    """The place of the last entry of these kinds."""
    return max((place for place, entry in enumerate(entries) if entry["kind"] in kinds), default=None)
