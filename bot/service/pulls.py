"""Pull requests: what may be pushed, what GitHub shows, and what the bot does next.

A webhook only says which pull request to check; the bot records what GitHub's API then returns.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain import way_back
from bot.domain.apv import Json, Severity
from bot.domain.base import Base
from bot.domain.decisions import in_force
from bot.domain.pull import MergeMode, Pull, Seen, Step, branch_name
from bot.domain.review import Accepted, Dossier, Review, Status
from bot.jobs import OpenPull, WatchPull, is_for
from bot.service import approvals, patches, swaps
from bot.service.consequences import BOT, Amendment, Cause, amend, amend_locked
from bot.service.gate import Gate
from storage import bases, decisions, jobs, pauses, pulls, reviews
from storage.decisions import Approval
from storage.pulls import Pointer

__all__ = ["Pointer"]

WITHOUT_WEBHOOKS, WITH_WEBHOOKS = timedelta(seconds=30), timedelta(minutes=10)
"""How often an open pull request is polled (contract, section 2)."""
WINDOW, MOST = timedelta(seconds=30), 12
"""A check is three requests, and GitHub allows 5,000 per hour, 41 in half a minute. More pull requests take turns."""


@dataclass(frozen=True, slots=True)
class Push:
    """What may be pushed: the approved content, and its approvals in force."""

    dossier: Dossier
    approvals: Sequence[Approval]
    branch: str
    shown: Base | None
    """The base that was read before the first approval; None: it was not read in time."""


class Unreadable(Exception):
    """This release cannot read the approved content, so it pushes nothing."""


class Unread(Exception):
    """Git could not read the patch now: it failed, or the patch has just changed."""


class NotAllowed(Exception):
    """No APV may name this repository; another program inserted the row."""


class PushesPaused(Exception):
    """An operator paused pushes; the message is their reason."""


async def check_pause(gate: Gate) -> None:
    """Raise PushesPaused while nothing may reach GitHub."""
    async with gate.database.transaction() as tx:
        await _check_pause(tx)


async def _check_pause(tx: AsyncConnection) -> None:
    if (why := await pauses.reason(tx)) is not None:
        raise PushesPaused(why)


async def begin_push(gate: Gate, job: OpenPull) -> Push | None:
    """Record the branch before the push; None when the review is no longer approved.

    Only approved content is pushed. If another program changed content or votes, the review becomes a new version.
    From here on changed content opens a new review, so a push and new content cannot conflict.
    Raises Unreadable, Unread, NotAllowed and PushesPaused.
    """
    readings = await patches.readings_of(gate, job.review_id)
    async with gate.database.transaction() as tx:
        whole = await reviews.lock_whole(tx, job.review_id)
        if whole is None or whole.review.status is not Status.APPROVED:
            return None
        review = whole.review
        if review.unreadable:
            raise Unreadable
        if whole.intact and not is_for(job, review):
            return None
        await _check_pause(tx)
        if not gate.allows(whole.apv.repository):
            raise NotAllowed
        if whole.intact and whole.apv.patch_diff not in readings:
            raise Unread
        # The rules went by these paths; where git had read none, every condition about paths was met.
        as_shown = review.files is None or review.files == readings.get(whole.apv.patch_diff or "")
        if whole.intact and as_shown and await approvals.stands(tx, whole):
            branch = branch_name(review.code, review.digest)
            await reviews.set_branch(tx, job.review_id, branch)
            voters = [vote.person for vote in in_force(review)]
            made = await decisions.approvals(tx, job.review_id, voters, review.version)
            shown = await bases.kept(tx, job.review_id, review.version)
            return Push(Dossier(whole.apv, replace(review, pr_branch=branch)), made, branch, shown)
    await swaps.show_again(gate, job.review_id, anyway=True)
    return None


async def opened(gate: Gate, review_id: UUID, pull: Pull) -> None:
    """Record that the review's pull request exists, new or found; idempotent."""
    heads: dict[str, Json] = {"head_sha": pull.head_sha, "approved_head": pull.approved_head}
    detail: dict[str, Json] = {"number": pull.number, "branch": pull.branch, **heads}
    await amend(gate, review_id, lambda review: way_back.opened(review, pull), Cause(BOT, "bot", gate.now(), detail))


async def failed(gate: Gate, job: OpenPull, reason: str, *, pushed: bool) -> None:
    """Record that no pull request could be opened; `pushed`: a branch may exist."""

    def rule(review: Review) -> Accepted | None:
        return way_back.failed(review, reason, pushed=pushed) if is_for(job, review) else None

    await amend(gate, job.review_id, rule, Cause(BOT, "bot", gate.now(), {"reason": reason}))


async def hear(gate: Gate, delivery: str, pointer: Pointer | None) -> bool:
    """Queue a check of the pull requests that a delivery is about; False for a duplicate delivery."""
    async with gate.database.transaction() as tx:
        if not await pulls.first_delivery(tx, delivery):
            return False
        if pointer is not None:
            asked = await pulls.clock(tx)
            await _enqueue(tx, await pulls.about(tx, pointer), delivery, asked)
        return True


async def poll(gate: Gate, every: timedelta) -> int:
    """Queue a check of every open pull request not polled for this long; returns the number."""
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
    """The start of the check by the database's clock; None when one later than `asked` is already recorded."""
    async with gate.database.transaction() as tx:
        seen_at = await pulls.seen_at(tx, review_id)
        return None if asked and seen_at and seen_at >= asked else await pulls.clock(tx)


async def record_look(gate: Gate, review_id: UUID, seen: Seen, *, began: datetime, mode: MergeMode) -> Step | None:
    """Record what GitHub showed to a check that `began` then; returns the bot's next step."""
    async with gate.database.transaction() as tx:
        locked = await reviews.lock(tx, review_id)
        seen_at = await pulls.seen_at(tx, review_id) if locked else None
        # A check that began later is already recorded: this one is out of date.
        if locked is None or (seen_at is not None and seen_at > began):
            return None
        detail: dict[str, Json] = {
            name: list(value) if isinstance(value, tuple) else value for name, value in asdict(seen).items()
        }
        cause = Cause("github", "github", gate.now(), detail)
        review = await amend_locked(tx, locked, lambda before: way_back.observe(before, seen), cause)
        await pulls.record_look(tx, review_id, began)
        step = way_back.next_step(review, seen, mode)
        return step if step in {None, Step.DISARM} or await _is_ours(tx, review_id) else None


async def _is_ours(tx: AsyncConnection, review_id: UUID) -> bool:
    """Whether the bot opened the pull request that the row names: another program may have written it there."""
    whole = await reviews.lock_whole(tx, review_id)
    return whole is not None and await approvals.opened(tx, whole)


async def record_closing(gate: Gate, review_id: UUID, because: str) -> None:
    """Record why the bot is about to close the pull request."""
    await _amend(gate, review_id, lambda review: way_back.closing(review, because), {})


async def record_lost(gate: Gate, review_id: UUID, reason: str) -> None:
    """Record that GitHub does not show the pull request."""
    await _amend(gate, review_id, lambda review: way_back.lost(review, reason), {"reason": reason})


async def record_step(gate: Gate, review_id: UUID, step: Step, refusal: str | None) -> None:
    """Record a step that the bot tried; `refusal` is GitHub's reason if it refused."""
    detail: dict[str, Json] = {"step": step.value, "refusal": refusal}
    await _amend(gate, review_id, lambda review: way_back.stepped(review, step, refusal), detail)


async def _amend(gate: Gate, review_id: UUID, rule: Amendment, detail: dict[str, Json]) -> None:
    await amend(gate, review_id, rule, Cause("github", "github", gate.now(), detail))


async def earlier_open(gate: Gate, review_id: UUID) -> Sequence[UUID] | None:
    """Earlier reviews of the same APV whose pull request is open; None while one is still being opened."""
    async with gate.database.transaction() as tx:
        return None if await pulls.earlier_opening(tx, review_id) else await pulls.earlier_open(tx, review_id)
