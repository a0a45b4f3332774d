"""Statistics over all reviews and decisions: exact when asked for, at a cost that does not grow with them."""

from dataclasses import dataclass

from bot.service.gate import Gate
from storage import counters, statistics
from storage.statistics import DecisionNumbers, ReviewNumbers, ReviewTimes

__all__ = ["DecisionNumbers", "Statistics"]


@dataclass(frozen=True, slots=True)
class Statistics:
    """How many reviews, how many decisions, and how long they took."""

    reviews: ReviewNumbers
    decisions: DecisionNumbers
    times: ReviewTimes


async def settle(gate: Gate) -> None:
    """Count and tell everything that is committed by now."""
    folded = counters.AT_ONCE
    while folded == counters.AT_ONCE:
        async with gate.database.transaction() as tx:
            folded = await counters.fold(tx, gate.now()) if await counters.waiting(tx) else 0


async def collect(gate: Gate) -> Statistics:
    """The numbers as they are now."""
    await settle(gate)
    async with gate.database.transaction() as tx:
        return Statistics(
            await statistics.reviews(tx), await statistics.decisions(tx, gate.now()), await statistics.times(tx)
        )
