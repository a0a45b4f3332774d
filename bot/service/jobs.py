"""Held jobs: announce, list, retry and discard them. Each action is in the audit log."""

from collections.abc import Sequence
from uuid import UUID

from bot.domain.events import Event, Kind
from bot.domain.review import Accepted, Review
from bot.jobs import AlertIncident, ReplyInThread
from bot.service.consequences import BOT, Cause, amend
from bot.service.gate import Gate
from storage import jobs, reviews
from storage.audit import Entry
from storage.jobs import Unfinished
from storage.record import Change, record

__all__ = ["Unfinished"]


async def record_held(gate: Gate, review_id: UUID, task: str, reason: str) -> None:
    """Announce that a job of this review is held, through channels that still work; a held alert is only recorded."""
    alarm, thread = task != AlertIncident.task, task not in {AlertIncident.task, ReplyInThread.task}

    def rule(review: Review) -> Accepted:
        sentence = f"The job {task} of {review.code} is held: {reason}"
        return Accepted(review, (Event(Kind.JOB_HELD, sentence, alarm=alarm, thread=thread),))

    await amend(gate, review_id, rule, Cause(BOT, "bot", gate.now(), {"task": task, "reason": reason}))


async def unfinished(gate: Gate) -> list[Unfinished]:
    """All unfinished jobs."""
    async with gate.database.transaction() as tx:
        return await jobs.unfinished(tx)


async def retry(gate: Gate, ids: Sequence[int] | None, actor: str) -> list[Unfinished]:
    """Retry held jobs, all or those with these ids; returns them."""
    return await _settle(gate, ids, actor, "retried")


async def discard(gate: Gate, ids: Sequence[int] | None, actor: str) -> list[Unfinished]:
    """Discard held jobs, all or those with these ids; returns them."""
    return await _settle(gate, ids, actor, "discarded")


async def _settle(gate: Gate, ids: Sequence[int] | None, actor: str, verb: str) -> list[Unfinished]:
    async with gate.database.transaction() as tx:
        held = [job for job in await jobs.unfinished(tx, ids) if job.state == "held"]
        chosen = [job.id for job in held]
        await (jobs.requeue if verb == "retried" else jobs.discard)(tx, chosen)
        for job in held:
            locked = await reviews.lock(tx, job.review_id) if job.review_id else None
            if locked is None or locked.review.unreadable:
                continue
            entry = Entry(f"job.{verb}", actor, "cli", f"The job {job.task} was {verb}.", gate.now(), {"job": job.id})
            change = Change(review=locked.review, head=locked.head, entries=[entry], now=gate.now(), touched=False)
            await record(tx, [change])
    return held
