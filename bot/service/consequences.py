"""Derives the consequences of an event: its audit entry, its jobs, and the outcome of open decisions."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeAlias, assert_never
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.apv import Json
from bot.domain.events import Event, Kind
from bot.domain.review import AWAITING, Accepted, Action, Hold, Review
from bot.domain.way_back import ACTION, visible
from bot.jobs import AlertIncident, AnswerPull, Job, MakeBump, OpenPull, ReadBase, ReplyInThread, SyncCard, WatchPull
from bot.service.gate import Gate
from storage import reviews
from storage.audit import Entry
from storage.record import Change, DecisionRow, Settlement, Void, record
from storage.reviews import Locked

BOT = "apv-bot"
"""The actor of changes that no person made."""

Amendment: TypeAlias = Callable[[Review], Accepted | None]
"""A rule that needs no person; None changes nothing."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a review changes: who, from where, when, and further details for the audit log."""

    actor: str
    source: str
    at: datetime
    detail: Mapping[str, Json] = field(default_factory=dict)


async def amend(gate: Gate, review_id: UUID, rule: Amendment, cause: Cause) -> None:
    """Lock a review, apply the rule and record the result; does nothing if the review does not exist."""
    async with gate.database.transaction() as tx:
        if locked := await reviews.lock(tx, review_id):
            await amend_locked(tx, locked, rule, cause)


async def amend_locked(tx: AsyncConnection, locked: Locked, rule: Amendment, cause: Cause) -> Review:
    """Like `amend`, for a review that the caller has locked; returns its new state."""
    accepted = None if locked.review.unreadable else rule(locked.review)
    if accepted is None or accepted == Accepted(locked.review):
        return locked.review
    await record(tx, [change(locked, accepted, cause)])
    return accepted.review


def change(
    locked: Locked,
    accepted: Accepted,
    cause: Cause,
    *,
    decision: DecisionRow | None = None,
    delivery: bytes | None = None,
) -> Change:
    """The change to record: the review after the events, one audit entry per event, and all their jobs."""
    shown = bool(accepted.events) or visible(accepted.review) != visible(locked.review)
    review = replace(accepted.review, revision=locked.review.revision + shown)
    entries, jobs = [], list[Job]()
    for event in accepted.events:
        tell: dict[str, Json] = {"tell": [*event.tell]} if event.tell else {}
        entry = Entry(event.kind, cause.actor, cause.source, event.sentence, cause.at, {**cause.detail, **tell})
        entries.append(entry)
        jobs += _jobs(review, event, entry)
    if shown and not accepted.events:
        # No event, but the card shows the difference.
        jobs = [SyncCard(review.id, review.revision)]
    return Change(
        review=review,
        head=locked.head,
        entries=entries,
        now=cause.at,
        touched=shown,
        decision=decision,
        settlement=_settlement(review, accepted.events),
        void=_void(locked.review, accepted),
        restarted=review.asked_at != locked.review.asked_at,
        jobs=jobs,
        delivery=delivery,
    )


def _jobs(review: Review, event: Event, entry: Entry) -> list[Job]:
    card = SyncCard(review.id, review.revision)
    reply = [ReplyInThread(review.id, entry.id)] if event.thread else []
    alert = [AlertIncident(review.id, entry.id)] if event.alarm else []
    bump = [MakeBump(review.id, review.digest, review.version)] if review.hold is Hold.DRAFTING else []
    # Nobody saw what the policy approved automatically.
    reads_base = event.reads_base and review.has_patch and review.status in AWAITING
    base = [ReadBase(review.id, review.version)] if reads_base else []
    match event.kind:
        case Kind.SUBMITTED:
            return [card, *alert, *bump, *base]
        case Kind.REVISED | Kind.SWAPPED:
            return [card, *reply, *alert, *bump, *base]
        case Kind.BUMP_NOT_MADE:
            return [card]
        case Kind.APPROVED:
            pull = [] if review.hold else [OpenPull(review.id, review.digest, review.version)]
            return [card, *reply, *pull]
        case Kind.REJECTED | Kind.CHANGES_REQUESTED:
            return [card, *reply, *([AnswerPull(review.id, entry.id)] if review.follows else [])]
        case Kind.PULL_OPENED:
            return [card, *reply, WatchPull(review.id, "opened")]
        case Kind.REMINDED | Kind.DEADLINE_NEAR | Kind.JOB_HELD:
            return [*reply, *alert]
        case (
            Kind.APPROVAL_RECORDED | Kind.VOTE_WITHDRAWN | Kind.VOTES_VOIDED | Kind.ESCALATED | Kind.REOPENED
            | Kind.CLAIMED | Kind.UNCLAIMED | Kind.REASSIGNED | Kind.SNOOZED | Kind.WOKEN | Kind.DEADLINE_MISSED
            | Kind.EXPIRED | Kind.PULL_FAILED | Kind.CHECKS_REPORTED | Kind.REVIEW_REQUESTED | Kind.CONFLICT_REPORTED
            | Kind.PUSHED_OVER | Kind.BRANCH_DELETED | Kind.PULL_MERGED | Kind.PULL_CLOSED | Kind.PULL_REOPENED
            | Kind.PULL_LOST | Kind.MERGE_ARMED | Kind.MERGE_REFUSED | Kind.BASE_MOVED
        ):  # fmt: skip
            return [card, *reply, *alert]
        case _:
            assert_never(event.kind)


VOIDED = {
    Kind.VOTE_WITHDRAWN: "Withdrawn by the person who gave it.",
    Kind.VOTES_VOIDED: "Void: the voter may no longer decide, or an operator voided it.",
    Kind.REOPENED: "Void: the review was reopened.",
}
"""Why an approval of the current version stops counting, by the event that ends it."""


def _void(before: Review, accepted: Accepted) -> Void | None:
    left = {vote.person for vote in accepted.review.votes}
    gone = tuple(vote.person for vote in before.votes if vote.person not in left)
    why = next((VOIDED[event.kind] for event in accepted.events if event.kind in VOIDED), None)
    return Void(gone, why) if gone and why else None


def _settlement(review: Review, events: Sequence[Event]) -> Settlement | None:
    """The outcome of open decisions, from the first event that has one."""
    for event in events:
        match event.kind:
            case Kind.REVISED | Kind.SWAPPED:
                return Settlement(Action.RECORDED, "Void: the content changed before this took effect.")
            case Kind.BASE_MOVED:
                return Settlement(Action.RECORDED, "Void: the base changed before this took effect.")
            case Kind.REJECTED | Kind.CHANGES_REQUESTED | Kind.EXPIRED:
                return Settlement(Action.RECORDED, f"The review was closed: {review.status.value.replace('_', ' ')}.")
            case Kind.APPROVED if review.hold:
                return Settlement(Action.RECORDED)
            case Kind.PULL_OPENED | Kind.PULL_MERGED | Kind.PULL_CLOSED | Kind.PULL_REOPENED:
                return Settlement(ACTION[review.status], f"#{review.pr_number}")
            case Kind.PULL_FAILED:
                return Settlement(Action.FAILED, review.note)
    return None
