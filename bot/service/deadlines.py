"""Timed actions on undecided reviews: reminders, escalation steps, the missed deadline, expiry.

Each happens once over all replicas: one transaction locks the row, posts it and marks it.
"""

from collections.abc import Sequence
from uuid import UUID

from bot import metrics
from bot.domain import deadlines as rules
from bot.domain.apv import Json
from bot.domain.review import AWAITING
from bot.service.consequences import BOT, Cause, amend_locked
from bot.service.gate import Gate
from storage import deadlines, reviews

AT_ONCE = 200


async def overdue(gate: Gate, past: Sequence[UUID]) -> Sequence[UUID]:
    """Reviews whose missed deadline is not announced yet, except those in `past`."""
    async with gate.database.transaction() as tx:
        return await deadlines.overdue(tx, gate.now(), past, limit=AT_ONCE)


async def due(gate: Gate, past: Sequence[UUID]) -> Sequence[UUID]:
    """Reviews with a timed action due now, except those in `past`."""
    async with gate.database.transaction() as tx:
        return await deadlines.due(tx, gate.now(), past, limit=AT_ONCE)


async def unreckoned(gate: Gate, past: Sequence[UUID]) -> Sequence[UUID]:
    """New and changed reviews whose next action is not computed yet, except those in `past`."""
    async with gate.database.transaction() as tx:
        return await deadlines.unreckoned(tx, past, limit=AT_ONCE)


async def miss(gate: Gate, review_id: UUID) -> bool:
    """Announce a missed deadline; False when another replica already did."""
    now = gate.now()
    async with gate.database.transaction() as tx:
        locked = await reviews.lock(tx, review_id)
        if locked is None or locked.review.unreadable or not await deadlines.mark_breached(tx, review_id, now):
            return False
        await amend_locked(tx, locked, rules.missed, Cause(BOT, "bot", now))
    metrics.SLA_BREACHES.labels(locked.review.severity).inc()
    return True


async def keep_time(gate: Gate, review_id: UUID) -> bool:
    """Post what is due, and set the time of the next action; False when there is nothing to do."""
    now = gate.now()
    async with gate.database.transaction() as tx:
        locked = await reviews.lock(tx, review_id)
        if locked is None or locked.review.unreadable or locked.review.status not in AWAITING:
            return False
        said = await deadlines.said(tx, review_id, now)
        if said is None:
            return False
        due = rules.due(locked.review, gate.policy().rule_for(locked.review), said, now)
        detail: dict[str, Json] = {"reminders": due.said.reminders, "steps": due.said.steps}
        await amend_locked(tx, locked, lambda review: rules.say(review, due, now), Cause(BOT, "bot", now, detail))
        await deadlines.keep(tx, review_id, due.said, due.next_at)
    return True
