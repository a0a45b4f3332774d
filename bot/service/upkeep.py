"""What keeps the database from growing: rows that served their time go, in small transactions."""

import structlog

from bot.service.gate import Gate
from storage.pruning import BATCH, PASSING, prune

log = structlog.get_logger(__name__)


async def throw_away(gate: Gate) -> int:
    """Delete everything that nobody can need any more; returns how many rows that were."""
    total = 0
    for what in PASSING:
        while True:
            async with gate.database.transaction() as tx:
                deleted = await prune(tx, what)
            total += deleted
            if deleted < BATCH:
                break
    if total:
        log.info("database.pruned", rows=total)
    return total
