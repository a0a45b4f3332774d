"""Makes content that another program changed in the database a new version; it is reported and never pushed."""

import asyncio
from functools import partial
from uuid import UUID

from bot.domain import contents
from bot.domain.patch import Readings
from bot.domain.review import Status
from bot.jobs import MakeBump, OpenPull
from bot.service import patches
from bot.service.adoption import of_content
from bot.service.consequences import BOT, Cause, amend_locked
from bot.service.gate import Gate
from bot.service.routes import as_shown, follow_route
from storage import jobs, reviews, submissions


async def show_again(gate: Gate, review_id: UUID, *, anyway: bool = False) -> None:
    """Make the content in the row a new version to vote on, if it is not the content that was shown.

    `anyway`: the content is the same, but the approval is not what was recorded.
    """
    readings = await _readings(gate, review_id)
    async with gate.database.transaction() as tx:
        whole = await reviews.lock_whole(tx, review_id)
        if whole is None or whole.review.unreadable or (whole.intact and not anyway):
            return
        before = whole.review
        if not (contents.takes_new_content(before) or before.status is Status.APPROVED):
            return
        for job in (OpenPull, MakeBump):
            await jobs.drop(tx, job(before.id, before.digest, before.version))
        locked = await submissions.renew_content(tx, review_id, whole.apv, readings, due_at=before.due_at)
        # The row already had the new content, so the former route comes from the content that was shown.
        shown = await submissions.shown(tx, review_id, locked.review.version - 1)
        await follow_route(gate, tx, as_shown(before, shown), locked.review)
        rule = partial(contents.swapped, opens_pulls=gate.opens_pulls)
        await amend_locked(tx, locked, rule, of_content(Cause(BOT, "bot", gate.now()), locked.review))


async def _readings(gate: Gate, review_id: UUID) -> Readings:
    """What git reads in the patch; empty after `gate.patience`, because a click may wait: then the sweep reads it."""
    try:
        async with asyncio.timeout(gate.patience):
            return await patches.readings_of(gate, review_id)
    except TimeoutError:
        return {}
