"""Reads reviews, lists of them, and decision records."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from bot.domain.apv import Severity
from bot.domain.review import AWAITING, Dossier
from bot.service.gate import Gate
from storage import decisions, repeats, reviews, statistics
from storage.decisions import DecisionRecord
from storage.repeats import Keyed
from storage.reviews import Filter, Position, position

__all__ = ["DecisionRecord", "Filter", "Keyed", "Position", "position"]

SAME_BODY, SAME_KEY = timedelta(minutes=10), timedelta(days=7)
"""Within this time an equal body, or an equal key, is a duplicate request (contract, section 3)."""


@dataclass(frozen=True, slots=True)
class Page:
    """Reviews, most urgent first, the total number, and whether more follow."""

    reviews: Sequence[Dossier]
    total: int
    more: bool


async def get(gate: Gate, review_id: UUID) -> Dossier | None:
    """One review by its id."""
    async with gate.database.transaction() as tx:
        return await reviews.get(tx, review_id)


async def find(gate: Gate, name: str) -> Dossier | None:
    """One review by UUID or `apv_code`."""
    async with gate.database.transaction() as tx:
        return await reviews.find(tx, name)


async def later(gate: Gate, review_id: UUID) -> str | None:
    """The code of a later review of the same APV; None when this is the newest."""
    async with gate.database.transaction() as tx:
        return await reviews.later(tx, review_id)


async def page(gate: Gate, what: Filter, *, limit: int, offset: int = 0, after: Position | None = None) -> Page:
    """A page of reviews, starting `offset` reviews after `after`, or after the head of the queue."""
    async with gate.database.transaction() as tx:
        found = await reviews.most_urgent(tx, what, limit=limit + 1, offset=offset, after=after)
        if what == Filter(statuses=what.statuses, severity=what.severity):
            # The counters have this number: counting a million reviews would be slow.
            total = (await statistics.reviews(tx)).count(what.statuses, what.severity, taken_in=True)
        else:
            total = await reviews.count(tx, what)
        return Page(found[:limit], total, len(found) > limit)


async def waiting(gate: Gate, severity: Severity | None, *, limit: int) -> Page:
    """The head of the queue; snoozed reviews come last."""
    async with gate.database.transaction() as tx:
        found = await reviews.most_urgent(tx, Filter(severity=severity, snoozed=False), limit=limit + 1)
        if room := limit + 1 - len(found):
            found += await reviews.most_urgent(tx, Filter(severity=severity, snoozed=True), limit=room)
        total = (await statistics.reviews(tx)).count(AWAITING, severity, taken_in=True)
    return Page(found[:limit], total, len(found) > limit)


async def claimed_by(gate: Gate, person: str, *, limit: int) -> Page:
    """The open reviews that this person claimed."""
    return await page(gate, Filter(claimed_by=person), limit=limit)


async def decision(gate: Gate, decision_id: UUID) -> DecisionRecord | None:
    """One decision by its id."""
    async with gate.database.transaction() as tx:
        return await decisions.get(tx, decision_id)


async def history(gate: Gate, name: str) -> Sequence[DecisionRecord]:
    """All decisions on a review, by its UUID or `apv_code`, oldest first; empty for an unknown one."""
    dossier = await find(gate, name)
    if dossier is None:
        return ()
    async with gate.database.transaction() as tx:
        return await decisions.of_review(tx, dossier.review.id)


async def of_body(gate: Gate, request: str) -> DecisionRecord | None:
    """The decision that the same body made within the last ten minutes; `request` is as in a decision's metadata."""
    async with gate.database.transaction() as tx:
        found = await repeats.of_body(tx, request, gate.now() - SAME_BODY)
        return await decisions.get(tx, found) if found else None


async def of_key(gate: Gate, key: str, review_id: UUID) -> Keyed | None:
    """What the last request with this key left, however old: a decision, or a refusal on this review."""
    async with gate.database.transaction() as tx:
        return await repeats.of_key(tx, key, review_id)
