"""What time brings to reviews that nobody decides: reminders, the escalation chain, the end.

Each is said once on any number of replicas: whoever holds the row's lock says it and marks it in one transaction.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from bot.domain import deadlines as sla
from bot.domain.apv import Json
from bot.domain.deadlines import Turn
from bot.domain.events import DeadlineNear, Event, Expired, Reminded, Woken
from bot.domain.review import AWAITING, Action, Review, Status
from bot.service.consequences import write
from bot.service.gate import Gate
from storage import deadlines as clocks
from storage import reviews
from storage.record import Settlement

ACTOR = "apv-bot"
AT_ONCE = 200
ENDED = Settlement(Action.RECORDED, "The review was closed: expired.")


async def keep_time(gate: Gate) -> int:
    """Say everything that is due by now; returns at how many reviews it looked."""
    now = gate.now()
    async with gate.database.transaction() as tx:
        found = await clocks.due(tx, now, limit=AT_ONCE)
    for review_id in found:
        await _take_turn(gate, review_id, now)
    return len(found)


async def _take_turn(gate: Gate, review_id: UUID, now: datetime) -> None:
    async with gate.database.transaction() as tx:
        locked = await reviews.lock(tx, review_id)
        told = await clocks.told(tx, review_id, now)
        if locked is None or told is None or locked.review.status not in AWAITING:
            return  # decided, or looked at by another replica, since the row was found
        turn = sla.turn(locked.review, gate.policy().rules[locked.review.severity], told, now)
        review, events = _told(locked.review, turn, now)
        if events:
            tell = sorted({key for step in turn.steps for key in (*step.to.users, *step.to.groups)})
            detail: Mapping[str, Json] = {
                "reminders": turn.told.reminders, "steps": turn.told.steps, **({"tell": [*tell]} if tell else {}),
            }  # fmt: skip
            settlement = ENDED if turn.expire else None
            await write(
                tx, locked, review, events, actor=ACTOR, source="bot", now=now, detail=detail, settlement=settlement
            )
        await clocks.keep(tx, review_id, turn.told, turn.next_at)


def _told(review: Review, turn: Turn, now: datetime) -> tuple[Review, list[Event]]:
    if turn.expire:
        words = f"{review.code} expired: nobody decided in time."
        return replace(review, status=Status.EXPIRED, closed_at=now), [Expired(words)]
    events: list[Event] = []
    due = f" It is due {review.due_at:%Y-%m-%d %H:%M} UTC." if review.due_at else ""
    if turn.wake:
        review = replace(review, snoozed_until=None, snooze_reason=None)
        events.append(Woken(f"The snooze of {review.code} is over."))
    if turn.remind:
        whose = f"{review.claimed_by_name} is on it." if review.claimed_by_name else "Nobody has claimed it."
        waited = _span((now - review.created_at).total_seconds())
        events.append(Reminded(f"{review.code} has waited {waited} for a decision. {whose}{due}"))
    for step in turn.steps:
        asked = ", ".join(step.names)
        events.append(DeadlineNear(f"{review.code} is still undecided; {asked}: please see to it.{due}"))
    return review, events


def _span(seconds: float) -> str:
    minutes = int(seconds // 60)
    for size, name in ((1440, "day"), (60, "hour"), (1, "minute")):
        if minutes >= size:
            count = minutes // size
            return f"{count} {name}{'s' if count != 1 else ''}"
    return "less than a minute"
