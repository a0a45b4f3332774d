"""The way back: what GitHub shows of a review's pull request, written down where people look.

A word from GitHub is a pointer and nothing more; what is written down is what GitHub showed when it was asked.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import TypeAlias
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain import way_back
from bot.domain.apv import Json, Severity
from bot.domain.events import Event
from bot.domain.pull import MergeMode, Seen, Step
from bot.domain.review import Review
from bot.jobs import SyncCard, WatchPull
from bot.service.consequences import write
from bot.service.gate import Gate
from storage import jobs, pulls, reviews
from storage.pulls import Pointer
from storage.reviews import Locked

__all__ = ["Pointer", "closing", "earlier_open", "hear", "lost", "poll", "saw", "stepped"]

ACTOR = "github"
WITHOUT_WEBHOOKS, WITH_WEBHOOKS = timedelta(seconds=30), timedelta(minutes=10)
"""How often an open pull request is asked about (contract, section 2)."""
WINDOW, MOST = timedelta(seconds=30), 12
"""A look is three requests, and GitHub answers 5,000 an hour: 41 in half a minute. More pull requests take turns."""

Rule: TypeAlias = Callable[[Review], tuple[Review, Sequence[Event]]]


async def hear(gate: Gate, delivery: str, pointer: Pointer | None) -> bool:
    """Have the pull requests looked at that a delivery is about; False when the same delivery was heard before."""
    async with gate.database.transaction() as tx:
        if not await pulls.first_delivery(tx, delivery):
            return False
        if pointer is not None:
            asked = await pulls.clock(tx)
            found = await pulls.about(tx, pointer)
            await _enqueue(tx, found, delivery, asked)
        return True


async def poll(gate: Gate, every: timedelta) -> int:
    """Have every open pull request looked at that nobody has asked about for so long; returns how many."""
    now = gate.now()
    async with gate.database.transaction() as tx:
        due = await pulls.take_due(tx, now=now, before=now - every, window=now - WINDOW, most=MOST)
        await _enqueue(tx, due, "poll", None)
    return len(due)


async def _enqueue(
    tx: AsyncConnection, found: Sequence[tuple[UUID, Severity]], cause: str, asked: datetime | None
) -> None:
    await jobs.enqueue(tx, [(WatchPull(review_id, cause, asked), severity) for review_id, severity in found])


async def begin_look(gate: Gate, review_id: UUID, asked: datetime | None) -> datetime | None:
    """When the look begins, by the database's clock; None when a later look than `asked` is written down already."""
    async with gate.database.transaction() as tx:
        seen_at = await pulls.seen_at(tx, review_id)
        return None if asked and seen_at and seen_at >= asked else await pulls.clock(tx)


async def saw(gate: Gate, review_id: UUID, seen: Seen, *, began: datetime, mode: MergeMode) -> Step | None:
    """Write down what GitHub showed to a look that `began` then, and what the bot is to do next with it."""
    async with gate.database.transaction() as tx:
        locked = await reviews.lock(tx, review_id)
        seen_at = await pulls.seen_at(tx, review_id) if locked else None
        # A look that began later has been written down: this one has older news.
        if locked is None or (seen_at is not None and seen_at > began):
            return None
        review = await _change(
            gate, tx, locked, lambda review: way_back.observe(review, seen), began=began, detail=_detail(seen)
        )
        return way_back.next_step(review, seen, mode)


async def closing(gate: Gate, review_id: UUID, because: str) -> None:
    """The bot is about to close the pull request."""
    await _apply(gate, review_id, lambda review: way_back.closing(review, because), detail={})


async def lost(gate: Gate, review_id: UUID, reason: str) -> None:
    """GitHub does not show the pull request."""
    await _apply(gate, review_id, lambda review: way_back.lost(review, reason), detail={"reason": reason})


async def stepped(gate: Gate, review_id: UUID, step: Step, refusal: str | None) -> None:
    """The bot tried a step; `refusal` is why GitHub said no."""
    detail: dict[str, Json] = {"step": step.value, "refusal": refusal}
    await _apply(gate, review_id, lambda review: way_back.stepped(review, step, refusal), detail=detail)


async def earlier_open(gate: Gate, review_id: UUID) -> Sequence[UUID] | None:
    """Earlier reviews of the same APV whose pull request is open; None while one is still being opened."""
    async with gate.database.transaction() as tx:
        return None if await pulls.earlier_opening(tx, review_id) else await pulls.earlier_open(tx, review_id)


async def _apply(gate: Gate, review_id: UUID, rule: Rule, *, detail: Mapping[str, Json]) -> None:
    async with gate.database.transaction() as tx:
        if locked := await reviews.lock(tx, review_id):
            await _change(gate, tx, locked, rule, began=None, detail=detail)


async def _change(
    gate: Gate, tx: AsyncConnection, locked: Locked, rule: Rule, *, began: datetime | None, detail: Mapping[str, Json]
) -> Review:
    before, now = locked.review, gate.now()
    review, events = rule(before)
    if events or _shown(review) != _shown(before):
        await write(tx, locked, review, events, actor=ACTOR, source="github", now=now, detail=detail)
    if not events and _shown(review) != _shown(before):
        # Nothing to tell, but the card shows it.
        await jobs.enqueue(tx, [(SyncCard(review.id, before.revision + 1), review.severity)])
    if review.status is not before.status:
        notes = f"#{review.pr_number}"
        await pulls.settle(tx, review.id, review.digest, way_back.ACTION[review.status], notes, now=now)
    if review.pull is not None:
        await pulls.keep(tx, review.id, review.pull, seen_at=began)
    return review


def _shown(review: Review) -> Review:
    """What a reader can see of it."""
    pull = review.pull
    return replace(review, pull=replace(pull, ready=False, closing=None, base=None)) if pull else review


def _detail(seen: Seen) -> dict[str, Json]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(seen).items()}
