"""The base that a patch was shown against: kept when the review is shown, compared when the patch is pushed."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain import contents, deadlines
from bot.domain.apv import Apv
from bot.domain.base import Base
from bot.domain.review import AWAITING, Accepted, Review, Status
from bot.jobs import OpenPull, ReadBase, is_for
from bot.service import patches
from bot.service.adoption import of_content, rule_for
from bot.service.consequences import BOT, Cause, amend_locked
from bot.service.gate import Gate
from storage import bases, reviews, submissions


async def wanted(gate: Gate, job: ReadBase) -> Apv | None:
    """The APV whose base the job must read; None when that is no longer needed, or not allowed.

    A base that is read after the first approval is not what that person saw.
    """
    async with gate.database.transaction() as tx:
        dossier = await reviews.get(tx, job.review_id)
        if dossier is None or not await _is_wanted(tx, dossier.review, job):
            return None
    return dossier.apv if gate.allows(dossier.apv.repository) else None


async def keep(gate: Gate, job: ReadBase, base: Base) -> None:
    """Keep the base that was read, unless somebody approved meanwhile; idempotent."""
    async with gate.database.transaction() as tx:
        locked = await reviews.lock(tx, job.review_id)
        if locked is not None and await _is_wanted(tx, locked.review, job):
            await bases.keep(tx, job.review_id, job.version, base, gate.now())


async def ask_again(gate: Gate, job: OpenPull, now: Base, paths: Sequence[str]) -> None:
    """Make the approved content a new version to vote on, shown against the base `now`; nothing was pushed.

    `paths` are the files in which the patch may not mean what people saw. Idempotent: a review that is no longer
    approved in this version stays as it is.
    """
    readings = await patches.readings_of(gate, job.review_id)
    async with gate.database.transaction() as tx:
        whole = await reviews.lock_whole(tx, job.review_id)
        if whole is None or not whole.intact or whole.review.unreadable:
            return
        before, apv, at = whole.review, whole.apv, gate.now()
        if before.status is not Status.APPROVED or not is_for(job, before):
            return
        read = await bases.kept(tx, before.id, before.version) is not None
        asked_at = at if deadlines.came_late(before, at) else None
        metadata = await submissions.metadata(tx, before.id)
        rule = rule_for(gate.policy(), apv)
        locked = await submissions.renew_content(
            tx,
            before.id,
            apv,
            readings,
            due_at=deadlines.due_at(asked_at, rule, apv, metadata) if asked_at else before.due_at,
            asked_at=asked_at,
            drafted_from=await submissions.drafted_from(tx, before.id),
        )
        await bases.keep(tx, before.id, locked.review.version, now, at)

        def moved(review: Review) -> Accepted:
            return contents.base_moved(review, paths, read=read)

        await amend_locked(tx, locked, moved, of_content(Cause(BOT, "bot", at), locked.review))


async def _is_wanted(tx: AsyncConnection, review: Review, job: ReadBase) -> bool:
    ready = job.version == review.version and review.has_patch and not review.unreadable
    undecided = review.status in AWAITING and not review.votes
    return ready and undecided and await bases.kept(tx, job.review_id, job.version) is None
