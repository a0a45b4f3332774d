"""Sets up new reviews: submitted ones, and rows that another program inserted."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain import contents, deadlines
from bot.domain.apv import Apv, identity
from bot.domain.auto import Origin, judged
from bot.domain.patch import Readings
from bot.domain.policy import Policy, Rule
from bot.domain.review import Review, Status
from bot.scores import strictest_of
from bot.service import patches
from bot.service.consequences import BOT, Cause, amend_locked, change
from bot.service.gate import Gate
from storage import messages, origins, submissions
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
    readings = await patches.readings_of(gate, review_id)
    async with gate.database.transaction() as tx:
        row = await submissions.lock_unadopted(tx, review_id)
        if row is not None:
            await take_in(gate, tx, row, readings)
        return row is not None


async def take_in(gate: Gate, tx: AsyncConnection, row: Unadopted, readings: Readings) -> None:
    """Make a review of a row that the caller has locked; the sweep reads a patch that `readings` does not have."""
    if (await submissions.last_kept(tx, row.id))[0]:
        await _show_again(gate, tx, row, readings)
        return
    policy = gate.policy()
    apv = row.apv if row.apv.repository else replace(row.apv, repository=gate.default_repository)
    metadata = await submissions.metadata(tx, row.id)
    due_at = row.due_at or deadlines.due_at(row.created_at, rule_for(policy, apv), apv, metadata)
    authors = contents.distinct([apv.reporter])
    locked = await submissions.replace_content(tx, row.id, apv, readings, version=1, due_at=due_at, authors=authors)
    await messages.want_cards(tx, {locked.review.id: policy.channel_for(locked.review)})
    # Nobody knows which program wrote the row, so its reporter is only a claim.
    origin = await origin_of(gate, tx, None, apv, [row.id])
    cause = Cause(apv.reporter or "database", "database", gate.now())
    await record(tx, [arrival(gate, locked, apv, cause, origin)])


async def _show_again(gate: Gate, tx: AsyncConnection, row: Unadopted, readings: Readings) -> None:
    """Make a new version of a review whose digest another program removed; a closed review stays closed."""
    locked = await submissions.renew_content(tx, row.id, row.apv, readings, due_at=row.due_at)
    if contents.takes_new_content(locked.review) or locked.review.status is Status.APPROVED:
        rule = partial(contents.swapped, opens_pulls=gate.opens_pulls)
        await amend_locked(tx, locked, rule, of_content(Cause(BOT, "bot", gate.now()), locked.review))


async def origin_of(gate: Gate, tx: AsyncConnection, submitter: str | None, apv: Apv, ids: Sequence[UUID]) -> Origin:
    """The submitter, and, if the policy approves anything automatically, whether a person objected before."""
    if not gate.policy().auto.enabled:
        return Origin(submitter)
    return Origin(submitter, objected=bool(await origins.objected(tx, [identity(apv)], ids)))


def arrival(gate: Gate, locked: Locked, apv: Apv, cause: Cause, origin: Origin) -> Change:
    """The change to record for a review that has just arrived."""
    bump = gate.opens_pulls and apv.wants_bump
    came = contents.arrive(locked.review, apv, bump=bump, opens_pulls=gate.opens_pulls)
    accepted = judged(came, apv, gate.policy(), origin, opens_pulls=gate.opens_pulls, now=cause.at)
    return change(locked, accepted, of_content(cause, locked.review))


def rule_for(policy: Policy, apv: Apv) -> Rule:
    """The rule for the severity of a report that is not a review yet."""
    return policy.rules[policy.applied(apv.severity, strictest_of(apv))]


def of_content(cause: Cause, review: Review) -> Cause:
    """The cause, with the review's current content in its details."""
    return replace(cause, detail={"version": review.version, "digest": review.digest, "authors": [*review.authors]})
