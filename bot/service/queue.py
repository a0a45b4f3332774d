"""Reading: one review, the queue, what somebody claimed, and the counts."""

from collections.abc import Sequence
from dataclasses import dataclass

from bot.domain.apv import Severity
from bot.service.gate import Gate
from storage import queries, reviews
from storage.queries import Counts
from storage.reviews import Filter, Stored


@dataclass(frozen=True, slots=True)
class Page:
    """Reviews, most urgent first, and how many there are in all."""

    reviews: Sequence[Stored]
    total: int


async def find(gate: Gate, name: str) -> Stored | None:
    """One review by UUID or `apv_code`."""
    async with gate.database.transaction() as tx:
        return await reviews.find(tx, name)


async def page(gate: Gate, what: Filter, *, limit: int, offset: int = 0) -> Page:
    """A page of reviews."""
    async with gate.database.transaction() as tx:
        return Page(await reviews.most_urgent(tx, what, limit=limit, offset=offset), await reviews.count(tx, what))


async def waiting(gate: Gate, severity: Severity | None, *, limit: int) -> Page:
    """The head of the queue."""
    return await page(gate, Filter(severity=severity), limit=limit)


async def claimed_by(gate: Gate, person: str, *, limit: int) -> Page:
    """What this person claimed and nobody has decided."""
    return await page(gate, Filter(claimed_by=person), limit=limit)


async def counts(gate: Gate) -> Counts:
    """How much waits and how much was decided."""
    async with gate.database.transaction() as tx:
        return await queries.counts(tx, gate.now())
