"""Periodic work: timed actions, adopting rows of other programs, counting, polling, pruning."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from functools import lru_cache
from uuid import UUID

import structlog

from bot.service import adoption, deadlines, patches, pulls, statistics
from bot.service.errors import outage
from bot.service.gate import Gate
from storage.pruning import BATCH, PASSING
from storage.pruning import prune as prune_batch

log = structlog.get_logger(__name__)

Find = Callable[[Gate, Sequence[UUID]], Awaitable[Sequence[UUID]]]
Handle = Callable[[Gate, UUID], Awaitable[bool]]

DUE: tuple[tuple[Find, Handle], ...] = ((deadlines.overdue, deadlines.miss), (deadlines.due, deadlines.keep_time))
NEW: tuple[tuple[Find, Handle], ...] = (
    (adoption.waiting, adoption.adopt),
    (patches.unread, patches.read),
    (deadlines.unreckoned, deadlines.keep_time),
)


async def sweep(gate: Gate, poll_every: timedelta | None) -> None:
    """Do all periodic work; raises only if the database is unavailable.

    Due actions come before new reviews, and again after each page of those. A failing row or duty does not stop the
    others. `poll_every`: how often to poll open pull requests; None without GitHub.
    """
    await _duty("due", _say_what_is_due(gate))
    for find, handle in NEW:
        await _duty("new", handle_all(gate, find, handle, _say_what_is_due))
    await _duty("statistics", statistics.settle(gate))
    if poll_every is not None:
        await _duty("poll", pulls.poll(gate, poll_every))


async def _say_what_is_due(gate: Gate) -> None:
    for find, handle in DUE:
        await handle_all(gate, find, handle)


async def handle_all(
    gate: Gate, find: Find, handle: Handle, after_page: Callable[[Gate], Awaitable[None]] | None = None
) -> int:
    """Handle everything that `find` finds, page by page, skipping failures; returns the number handled."""
    past: list[UUID] = []
    total = 0
    while found := await find(gate, past):
        for review_id in found:
            try:
                handled = await handle(gate, review_id)
            except Exception as error:
                if outage(error) is not None:
                    raise
                handled = False
                _say_once(review_id, type(error).__name__)
            if handled:
                total += 1
            else:
                past.append(review_id)
        if after_page is not None:
            await after_page(gate)
    return total


async def _duty(name: str, duty: Awaitable[object]) -> None:
    try:
        await duty
    except Exception as error:
        if outage(error) is not None:
            raise
        log.exception("sweep.failed", duty=name, exc_info=error)


@lru_cache(maxsize=1024)
def _say_once(review_id: UUID, error: str) -> None:
    log.warning("review.skipped", review_id=str(review_id), error=error)


async def prune(gate: Gate) -> None:
    """Delete expired rows in small transactions."""
    total = 0
    for what in PASSING:
        while True:
            async with gate.database.transaction() as tx:
                deleted = await prune_batch(tx, what)
            total += deleted
            if deleted < BATCH:
                break
    if total:
        log.info("database.pruned", rows=total)
