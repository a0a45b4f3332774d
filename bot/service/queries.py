"""Reading: one review, the queue, and what somebody claimed."""

from collections.abc import Sequence
from dataclasses import dataclass

from bot.domain.apv import Severity
from bot.domain.review import AWAITING
from bot.service.gate import Gate
from storage import reviews, statistics
from storage.reviews import Filter, Position, Stored

__all__ = ["Filter", "Position", "Stored"]


@dataclass(frozen=True, slots=True)
class Page:
    """Reviews, most urgent first, how many there are in all, and whether any come after these."""

    reviews: Sequence[Stored]
    total: int
    more: bool


async def find(gate: Gate, name: str) -> Stored | None:
    """One review by UUID or `apv_code`."""
    if not name.isprintable():
        # No name holds control characters or surrogates, and PostgreSQL refuses some of them as text.
        return None
    async with gate.database.transaction() as tx:
        return await reviews.find(tx, name)


async def page(gate: Gate, what: Filter, *, limit: int, offset: int = 0, after: Position | None = None) -> Page:
    """A page of reviews: those `offset` further than `after`, or than the head of the queue."""
    async with gate.database.transaction() as tx:
        found = await reviews.most_urgent(tx, what, limit=limit + 1, offset=offset, after=after)
        if what == Filter(statuses=what.statuses, severity=what.severity):
            # Counted already: what a million reviews would cost to count does not slow the list.
            total = (await statistics.reviews(tx)).count(what.statuses, what.severity, taken_in=True)
        else:
            total = await reviews.count(tx, what)
        return Page(found[:limit], total, len(found) > limit)


async def waiting(gate: Gate, severity: Severity | None, *, limit: int) -> Page:
    """The head of the queue, what is snoozed behind everything else."""
    async with gate.database.transaction() as tx:
        found = await reviews.most_urgent(tx, Filter(severity=severity, snoozed=False), limit=limit + 1)
        if room := limit + 1 - len(found):
            found += await reviews.most_urgent(tx, Filter(severity=severity, snoozed=True), limit=room)
        total = (await statistics.reviews(tx)).count(AWAITING, severity, taken_in=True)
    return Page(found[:limit], total, len(found) > limit)


async def claimed_by(gate: Gate, person: str, *, limit: int) -> Page:
    """What this person claimed and nobody has decided."""
    return await page(gate, Filter(claimed_by=person), limit=limit)
