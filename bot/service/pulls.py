"""Pull requests: what may be pushed, what GitHub shows of it, and what the bot does next.

A message from GitHub is only a pointer; what is recorded is what GitHub shows when it is asked.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain import way_back
from bot.domain.apv import Json, Severity
from bot.domain.pull import MergeMode, Pull, Seen, Step, branch_name
from bot.domain.review import Accepted, Dossier, Review, Status
from bot.jobs import OpenPull, WatchPull, is_for
from bot.service.consequences import BOT, Amendment, Cause, amend, amend_locked
from bot.service.gate import Gate
from storage import decisions, jobs, pulls, reviews
from storage.decisions import Approval
from storage.pulls import Pointer

__all__ = ["Pointer"]

WITHOUT_WEBHOOKS, WITH_WEBHOOKS = timedelta(seconds=30), timedelta(minutes=10)
"""How often an open pull request is asked about (contract, section 2)."""
WINDOW, MOST = timedelta(seconds=30), 12
"""A look is three requests, and GitHub answers 5,000 an hour: 41 in half a minute. More pull requests take turns."""


@dataclass(frozen=True, slots=True)
class Push:
    """What may be pushed: the content that was locked and judged, and the approvals of that version."""

    dossier: Dossier
    approvals: Sequence[Approval]
    branch: str


class Unreadable(Exception):
    """This release cannot read the content that was approved, so it pushes nothing."""


async def begin_push(gate: Gate, job: OpenPull) -> Push | None:
    """Mark the review as having something pushed, before it is; None when it no longer stands as approved.

    Raises Unreadable. From here on changed content opens a new review, so a push and new content cannot cross.
    """
    async with gate.database.transaction() as tx:
        locked = await reviews.lock(tx, job.review_id)
        if locked is None or locked.review.status is not Status.APPROVED or not is_for(job, locked.review):
            return None
        branch = branch_name(locked.review.code, locked.review.digest)
        await reviews.set_branch(tx, job.review_id, branch)
        dossier = await reviews.get(tx, job.review_id)
        assert dossier is not None, "it is locked"
        if dossier.review.unreadable:
            raise Unreadable
        return Push(dossier, await decisions.approvals(tx, job.review_id, locked.review.version), branch)


async def opened(gate: Gate, review_id: UUID, pull: Pull) -> None:
    """The review's pull request exists, found or made; a second call changes nothing."""
    detail: dict[str, Json] = {"number": pull.number, "branch": pull.branch, "head_sha": pull.head_sha}
    await amend(gate, review_id, lambda review: way_back.opened(review, pull), Cause(BOT, "bot", gate.now(), detail))


async def failed(gate: Gate, job: OpenPull, reason: str, *, pushed: bool) -> None:
    """No pull request comes without a person's help; `pushed`: a branch may exist."""

    def rule(review: Review) -> Accepted | None:
        return way_back.failed(review, reason, pushed=pushed) if is_for(job, review) else None

    await amend(gate, job.review_id, rule, Cause(BOT, "bot", gate.now(), {"reason": reason}))


async def hear(gate: Gate, delivery: str, pointer: Pointer | None) -> bool:
    """Queue a look at the pull requests that a delivery is about; False when the same delivery came before."""
    async with gate.database.transaction() as tx:
        if not await pulls.first_delivery(tx, delivery):
            return False
        if pointer is not None:
            asked = await pulls.clock(tx)
            await _enqueue(tx, await pulls.about(tx, pointer), delivery, asked)
        return True


async def poll(gate: Gate, every: timedelta) -> int:
    """Queue a look at every open pull request that nobody has asked about for so long; returns the number."""
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
    """When the look begins, by the database's clock; None when a look later than `asked` is recorded already."""
    async with gate.database.transaction() as tx:
        seen_at = await pulls.seen_at(tx, review_id)
        return None if asked and seen_at and seen_at >= asked else await pulls.clock(tx)


async def record_look(gate: Gate, review_id: UUID, seen: Seen, *, began: datetime, mode: MergeMode) -> Step | None:
    """Record what GitHub showed to a look that `began` then; returns what the bot does next with the pull request."""
    async with gate.database.transaction() as tx:
        locked = await reviews.lock(tx, review_id)
        seen_at = await pulls.seen_at(tx, review_id) if locked else None
        # A look that began later is recorded already: this one has older news.
        if locked is None or (seen_at is not None and seen_at > began):
            return None
        detail: dict[str, Json] = {
            name: list(value) if isinstance(value, tuple) else value for name, value in asdict(seen).items()
        }
        cause = Cause("github", "github", gate.now(), detail)
        review = await amend_locked(tx, locked, lambda before: way_back.observe(before, seen), cause)
        await pulls.record_look(tx, review_id, began)
        return way_back.next_step(review, seen, mode)


async def record_closing(gate: Gate, review_id: UUID, because: str) -> None:
    """The bot is about to close the pull request."""
    await _amend(gate, review_id, lambda review: way_back.closing(review, because), {})


async def record_lost(gate: Gate, review_id: UUID, reason: str) -> None:
    """GitHub does not show the pull request."""
    await _amend(gate, review_id, lambda review: way_back.lost(review, reason), {"reason": reason})


async def record_step(gate: Gate, review_id: UUID, step: Step, refusal: str | None) -> None:
    """The bot tried a step; `refusal` is why GitHub said no."""
    detail: dict[str, Json] = {"step": step.value, "refusal": refusal}
    await _amend(gate, review_id, lambda review: way_back.stepped(review, step, refusal), detail)


async def _amend(gate: Gate, review_id: UUID, rule: Amendment, detail: dict[str, Json]) -> None:
    await amend(gate, review_id, rule, Cause("github", "github", gate.now(), detail))


async def earlier_open(gate: Gate, review_id: UUID) -> Sequence[UUID] | None:
    """Earlier reviews of the same APV whose pull request is open; None while one is still being opened."""
    async with gate.database.transaction() as tx:
        return None if await pulls.earlier_opening(tx, review_id) else await pulls.earlier_open(tx, review_id)
