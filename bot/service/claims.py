"""Whose turn it is: giving a claim back and giving it to somebody, as `bot.service.reviews` does what people do."""

from uuid import UUID

from bot.domain import claims as turns
from bot.domain.access import Person
from bot.domain.refusal import Outcome, Repeated
from bot.domain.review import Review
from bot.service.gate import Gate
from bot.service.people import SlackUser, judge
from bot.service.reviews import apply


async def unclaim(
    gate: Gate, who: SlackUser, review_id: UUID, *, source: str, delivery: bytes | None = None
) -> Outcome | Repeated:
    """Give one's own claim back; refused and raised as in `reviews.decide`."""
    return await apply(
        gate, who, review_id, turns.unclaim, None, asked="unclaim", now=gate.now(), source=source, delivery=delivery
    )


async def reassign(
    gate: Gate, who: SlackUser, review_id: UUID, to: SlackUser, *, source: str, delivery: bytes | None = None
) -> Outcome | Repeated:
    """Give the claim to `to`, who is judged as if they had asked; refused and raised as in `reviews.decide`."""
    target = await judge(gate, to)

    def rule(review: Review, person: Person) -> Outcome:
        return turns.reassign(review, person, target)

    return await apply(
        gate, who, review_id, rule, None, asked="reassign", now=gate.now(), source=source, delivery=delivery
    )


async def snooze(
    gate: Gate,
    who: SlackUser,
    review_id: UUID,
    hours: int,
    reason: str,
    *,
    source: str,
    delivery: bytes | None = None,
) -> Outcome | Repeated:
    """Put it off for `hours`; refused and raised as in `reviews.decide`."""
    now = gate.now()

    def rule(review: Review, person: Person) -> Outcome:
        return turns.snooze(review, person, hours, reason, now)

    return await apply(gate, who, review_id, rule, None, asked="snooze", now=now, source=source, delivery=delivery)


async def wake(
    gate: Gate, who: SlackUser, review_id: UUID, *, source: str, delivery: bytes | None = None
) -> Outcome | Repeated:
    """End a snooze before its time; refused and raised as in `reviews.decide`."""
    return await apply(
        gate, who, review_id, turns.wake, None, asked="wake", now=gate.now(), source=source, delivery=delivery
    )
