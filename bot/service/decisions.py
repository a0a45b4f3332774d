"""Decision records: read, and found again by the request that they came from."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from bot.service import queries as queue
from bot.service.gate import Gate
from storage import decisions
from storage.decisions import DecisionRecord

__all__ = ["DecisionRecord"]

SAME = timedelta(minutes=10)
"""For so long the same body is the same request (contract, section 3)."""


async def find(gate: Gate, decision_id: UUID) -> DecisionRecord | None:
    """One decision by its id."""
    async with gate.database.transaction() as tx:
        return await decisions.get(tx, decision_id)


async def history(gate: Gate, name: str) -> Sequence[DecisionRecord]:
    """All decisions on a review, by its UUID or `apv_code`, oldest first; none of an unknown one."""
    stored = await queue.find(gate, name)
    if stored is None:
        return ()
    async with gate.database.transaction() as tx:
        return await decisions.of_review(tx, stored.dossier.review.id)


async def of_request(gate: Gate, request: str, key: str | None) -> DecisionRecord | None:
    """What the same request came to: `request` and `key` are what a decision's metadata holds under these names."""
    async with gate.database.transaction() as tx:
        return await decisions.of_request(tx, request, key, gate.now() - SAME)
