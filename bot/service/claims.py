"""Claims, snoozes and their ends. Each refuses and raises as `bot.service.decisions.decide` does."""

from uuid import UUID

from bot.domain import claims as rules
from bot.domain.people import Person
from bot.domain.review import Outcome, Repeated, Review
from bot.service.decisions import Asker, apply
from bot.service.gate import Gate
from bot.service.people import SlackUser, judge


async def claim(gate: Gate, asker: Asker, review_id: UUID) -> Outcome | Repeated:
    """Claim a review."""
    return await apply(gate, asker, review_id, rules.claim, gate.now(), asked="claim")


async def unclaim(gate: Gate, asker: Asker, review_id: UUID) -> Outcome | Repeated:
    """Release one's own claim."""
    return await apply(gate, asker, review_id, rules.unclaim, gate.now(), asked="unclaim")


async def reassign(gate: Gate, asker: Asker, review_id: UUID, to: SlackUser) -> Outcome | Repeated:
    """Give the claim to `to`, who must be a person who may decide."""
    target = await judge(gate, to)

    def rule(review: Review, person: Person) -> Outcome:
        return rules.reassign(review, person, target)

    return await apply(gate, asker, review_id, rule, gate.now(), asked="reassign")


async def snooze(gate: Gate, asker: Asker, review_id: UUID, hours: int, reason: str) -> Outcome | Repeated:
    """Snooze a review for `hours`."""
    now = gate.now()

    def rule(review: Review, person: Person) -> Outcome:
        return rules.snooze(review, person, hours, reason, now)

    return await apply(gate, asker, review_id, rule, now, asked="snooze")


async def wake(gate: Gate, asker: Asker, review_id: UUID) -> Outcome | Repeated:
    """End a snooze early."""
    return await apply(gate, asker, review_id, rules.wake, gate.now(), asked="wake")
