"""Lets git read the patches of reviews, also of those that an earlier release or another program wrote."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from bot.domain.patch import Readings
from bot.domain.review import Accepted
from bot.service.consequences import BOT, Cause, amend_locked
from bot.service.gate import Gate
from storage import files, reviews

AT_ONCE = 200


async def readings_of(gate: Gate, review_id: UUID) -> Readings:
    """What git reads in a review's patch; empty without one. Opens a transaction of its own and closes it first."""
    async with gate.database.transaction() as tx:
        patch = await files.patch(tx, review_id)
    return await gate.read_changes([patch] if patch else [])


async def unread(gate: Gate, past: Sequence[UUID]) -> Sequence[UUID]:
    """Live reviews whose patch nobody has read yet, except those in `past`."""
    async with gate.database.transaction() as tx:
        return await files.unread(tx, past, AT_ONCE)


async def read(gate: Gate, review_id: UUID) -> bool:
    """Let git read one patch, and draw its card again; False when git cannot run, or another replica was first."""
    async with gate.database.transaction() as tx:
        patch = await files.patch(tx, review_id)
    readings = await gate.read_changes([patch] if patch else [])
    if patch and patch not in readings:
        return False
    async with gate.database.transaction() as tx:
        locked = await reviews.lock(tx, review_id)
        if locked is None or not await files.keep(tx, review_id, patch, readings):
            return False
        found = readings[patch] if patch else ()
        # The card was drawn without a reading; "cannot be read" must be shown too.
        before = replace(locked, review=replace(locked.review, files=()))
        await amend_locked(
            tx, before, lambda review: Accepted(replace(review, files=found)), Cause(BOT, "bot", gate.now())
        )
    return True
