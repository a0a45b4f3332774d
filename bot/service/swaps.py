"""Content that another program changed in the database: it becomes a new version, is told, and is never pushed."""

from uuid import UUID

from bot.domain import contents
from bot.domain.review import Status
from bot.jobs import MakeBump, OpenPull
from bot.service.adoption import of_content
from bot.service.consequences import BOT, Cause, amend_locked
from bot.service.gate import Gate
from storage import jobs, reviews, submissions


async def show_again(gate: Gate, review_id: UUID, *, anyway: bool = False) -> None:
    """Make the content that stands in the row a new version to vote on, if it is not the one that was shown.

    `anyway`: the content is the same, but the approval is not what was recorded.
    """
    async with gate.database.transaction() as tx:
        whole = await reviews.lock_whole(tx, review_id)
        if whole is None or whole.review.unreadable or (whole.intact and not anyway):
            return
        before = whole.review
        if not (contents.takes_new_content(before) or before.status is Status.APPROVED):
            return
        for job in (OpenPull, MakeBump):
            await jobs.drop(tx, job(before.id, before.digest, before.version))
        locked = await submissions.replace_content(
            tx,
            review_id,
            whole.apv,
            {},  # a click may have found this: git reads the patch in the next sweep
            version=await submissions.next_version(tx, review_id),
            due_at=before.due_at,
            authors=before.authors,
        )
        await amend_locked(tx, locked, contents.swapped, of_content(Cause(BOT, "bot", gate.now()), locked.review))
