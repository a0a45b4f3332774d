"""Sets up new reviews: submitted ones, and rows that another program inserted."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain import contents, deadlines
from bot.domain.apv import Apv
from bot.domain.auto import judged
from bot.domain.patch import Readings
from bot.domain.review import Review
from bot.service.consequences import Cause, change
from bot.service.gate import Gate
from storage import files, messages, submissions
from storage.record import Change, record
from storage.reviews import Locked
from storage.submissions import Unadopted

AT_ONCE = 200


async def waiting(gate: Gate, past: Sequence[UUID]) -> Sequence[UUID]:
    """Rows of other programs that are not adopted yet, except those in `past`."""
    async with gate.database.transaction() as tx:
        return await submissions.unadopted(tx, past, AT_ONCE)


async def adopt(gate: Gate, review_id: UUID) -> bool:
    """Make such a row a review like any other; False when another replica has it."""
    async with gate.database.transaction() as tx:
        patch = await files.patch(tx, review_id)
    readings = await gate.read_changes([patch] if patch else [])
    async with gate.database.transaction() as tx:
        row = await submissions.lock_unadopted(tx, review_id)
        if row is not None:
            await take_in(gate, tx, row, readings)
        return row is not None


async def take_in(gate: Gate, tx: AsyncConnection, row: Unadopted, readings: Readings) -> None:
    """Make a review of a row that the caller has locked; the sweep reads a patch that `readings` does not have."""
    policy = gate.policy()
    apv = row.apv if row.apv.repository else replace(row.apv, repository=gate.default_repository)
    metadata = await submissions.metadata(tx, row.id)
    due_at = row.due_at or deadlines.due_at(row.created_at, policy.rules[apv.severity], apv, metadata)
    authors = contents.distinct([apv.reporter])
    locked = await submissions.replace_content(tx, row.id, apv, readings, version=1, due_at=due_at, authors=authors)
    await messages.want_cards(tx, {locked.review.id: policy.channel_for(apv)})
    await record(tx, [arrival(gate, locked, apv, Cause(apv.reporter or "database", "database", gate.now()))])


def arrival(gate: Gate, locked: Locked, apv: Apv, cause: Cause) -> Change:
    """The change to record for a review that has just arrived."""
    came = contents.arrive(locked.review, apv, bump=gate.opens_pulls and apv.wants_bump)
    accepted = judged(came, apv, gate.policy(), opens_pulls=gate.opens_pulls, now=cause.at)
    return change(locked, accepted, of_content(cause, locked.review))


def of_content(cause: Cause, review: Review) -> Cause:
    """The cause, with the review's current content in its details."""
    return replace(cause, detail={"version": review.version, "digest": review.digest, "authors": [*review.authors]})
