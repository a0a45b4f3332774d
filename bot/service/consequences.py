"""What follows from an event: its audit entry and its jobs. The one place where events become effects."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import assert_never

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.apv import Json
from bot.domain.events import (
    ApprovalRecorded,
    Approved,
    BranchDeleted,
    BumpNotMade,
    ChangesRequested,
    ChecksReported,
    Claimed,
    ConflictReported,
    DeadlineMissed,
    DeadlineNear,
    Escalated,
    Event,
    Expired,
    JobHeld,
    MergeArmed,
    MergeRefused,
    PullClosed,
    PullFailed,
    PullLost,
    PullMerged,
    PullOpened,
    PullReopened,
    PushedOver,
    Reassigned,
    Rejected,
    Reminded,
    ReviewRequested,
    Revised,
    Snoozed,
    Submitted,
    Unclaimed,
    VoteWithdrawn,
    Woken,
)
from bot.domain.review import Review
from bot.jobs import AlertIncident, AnswerPull, Job, MakeBump, OpenPull, ReplyInThread, SyncCard, WatchPull
from storage.audit import Entry
from storage.record import Change, Settlement, record
from storage.reviews import Locked


def follow(
    review: Review, events: Sequence[Event], *, actor: str, source: str, now: datetime, detail: Mapping[str, Json]
) -> tuple[list[Entry], list[Job]]:
    """One audit entry an event, and the jobs of all of them; `review` is as it is after them."""
    entries, jobs = [], []
    for event in events:
        told: Json = [*event.tell] if isinstance(event, Revised | Reassigned) else []
        whom: dict[str, Json] = {"tell": told} if told else {}
        entry = Entry(event.kind, actor, source, event.sentence, now, {**detail, **whom})
        entries.append(entry)
        jobs += _jobs(review, event, entry)
    return entries, jobs


async def write(
    tx: AsyncConnection,
    locked: Locked,
    review: Review,
    events: Sequence[Event],
    *,
    actor: str,
    source: str,
    now: datetime,
    detail: Mapping[str, Json],
    settlement: Settlement | None = None,
) -> None:
    """Record what nobody decided: `review` as the events leave it, in place of the one that was locked."""
    changed = change(locked, review, events, actor=actor, source=source, now=now, detail=detail, settlement=settlement)
    await record(tx, [changed])


def change(
    locked: Locked,
    review: Review,
    events: Sequence[Event],
    *,
    actor: str,
    source: str,
    now: datetime,
    detail: Mapping[str, Json],
    settlement: Settlement | None = None,
) -> Change:
    """What `write` records."""
    changed = replace(review, revision=locked.review.revision + 1)
    entries, jobs = follow(changed, events, actor=actor, source=source, now=now, detail=detail)
    return Change(
        review=changed,
        head=locked.head,
        entries=entries,
        now=now,
        touched=True,
        settlement=settlement,
        jobs=jobs,
    )


def _jobs(review: Review, event: Event, entry: Entry) -> list[Job]:  # noqa: PLR0912 - one match, held exhaustive
    card = SyncCard(review.id, review.revision)
    reply = ReplyInThread(review.id, entry.id)
    alert = AlertIncident(review.id, entry.id)
    bump = MakeBump(review.id, review.digest)
    match event:
        case Submitted(critical=critical, bump=wanted):
            return [card, *([alert] if critical else []), *([bump] if wanted else [])]
        case Revised(bump=True):
            return [card, reply, bump]
        case BumpNotMade():
            return [card]
        case Approved(opens_pull=True):
            return [card, reply, OpenPull(review.id, review.digest)]
        case Rejected() | ChangesRequested() if review.follows:
            return [card, reply, AnswerPull(review.id, entry.id)]
        case Approved() | ApprovalRecorded() | Rejected() | ChangesRequested() | Claimed() | Revised():
            return [card, reply]
        case VoteWithdrawn() | Unclaimed() | Reassigned() | Snoozed() | Woken():
            return [card, reply]
        case PullOpened():
            return [card, reply, WatchPull(review.id, "opened")]
        case (
            ChecksReported(failed=True)
            | ConflictReported(conflict=True)
            | PullMerged(approved=False)
            | PushedOver()
            | PullLost()
            | MergeRefused()
        ):
            return [card, reply, alert]
        case (
            ChecksReported()
            | ConflictReported()
            | PullMerged()
            | PullClosed()
            | PullReopened()
            | ReviewRequested()
            | BranchDeleted()
            | MergeArmed()
        ):
            return [card, reply]
        case Escalated() | PullFailed() | DeadlineMissed():
            return [card, reply, alert]
        case Reminded():
            return [reply]
        case DeadlineNear():
            return [reply, alert]
        case Expired():
            return [card, reply]
        case JobHeld(task=task):
            # What could not be said in one place is said in the other; a held alert has nowhere left to go.
            if task == AlertIncident.task:
                return []
            return [alert] if task == ReplyInThread.task else [reply, alert]
        case _:
            assert_never(event)
