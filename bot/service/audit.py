"""Exports the audit log, and checks it for gaps and alterations."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID

from bot.domain.apv import Json
from bot.service.gate import Gate
from storage import audit
from storage.audit import Entry


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of a check: how much was read, and one sentence per fault."""

    entries: int
    reviews: int
    faults: tuple[str, ...]


async def export(gate: Gate) -> AsyncIterator[dict[str, Json]]:
    """All entries in the order written."""
    async with gate.database.transaction() as tx:
        async for row in audit.stream(tx):
            yield row


async def verify(gate: Gate) -> Verdict:
    """Check every review's chain from its first entry to the hash in the review row."""
    entries, reviews, faults = 0, 0, []
    async with gate.database.transaction() as tx:
        async for chain in audit.chains(tx):
            entries, reviews = entries + len(chain.entries), reviews + 1
            faults += audit.broken_links(chain)
    return Verdict(entries, reviews, tuple(faults))


async def entry(gate: Gate, entry_id: UUID) -> Entry | None:
    """One entry by its id."""
    async with gate.database.transaction() as tx:
        return await audit.entry(tx, entry_id)
