"""Statistics over all reviews and decisions: exact, at a cost that does not grow with their number."""

from dataclasses import dataclass

from bot.service.gate import Gate
from storage import counters, statistics
from storage.statistics import DecisionNumbers, ReviewNumbers, ReviewTimes

__all__ = ["DecisionNumbers", "Statistics"]


@dataclass(frozen=True, slots=True)
class Statistics:
    """The numbers of reviews and decisions, and the times to a decision."""

    reviews: ReviewNumbers
    decisions: DecisionNumbers
    times: ReviewTimes


async def settle(gate: Gate) -> None:
    """Count all committed changes and write their feed events."""
    folded = counters.AT_ONCE
    while folded == counters.AT_ONCE:
        async with gate.database.transaction() as tx:
            folded = await counters.fold(tx, gate.now()) if await counters.waiting(tx) else 0


async def collect(gate: Gate) -> Statistics:
    """The current numbers."""
    await settle(gate)
    async with gate.database.transaction() as tx:
        return Statistics(
            await statistics.reviews(tx), await statistics.decisions(tx, gate.now()), await statistics.times(tx)
        )
