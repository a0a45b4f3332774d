"""What an operator does about effects that did not come about: look, retry, discard. Each is in the audit log."""

from collections.abc import Sequence

from bot.service.gate import Gate
from storage import jobs, reviews
from storage.audit import Entry
from storage.jobs import Unfinished
from storage.record import Change, record


async def unfinished(gate: Gate) -> list[Unfinished]:
    """Every job that is not done."""
    async with gate.database.transaction() as tx:
        return await jobs.unfinished(tx)


async def retry(gate: Gate, ids: Sequence[int] | None, actor: str) -> list[Unfinished]:
    """Queue held jobs anew, all of them or those named; returns which were."""
    return await _settle(gate, ids, actor, "retried")


async def discard(gate: Gate, ids: Sequence[int] | None, actor: str) -> list[Unfinished]:
    """Give held jobs up, all of them or those named; returns which were."""
    return await _settle(gate, ids, actor, "discarded")


async def _settle(gate: Gate, ids: Sequence[int] | None, actor: str, verb: str) -> list[Unfinished]:
    async with gate.database.transaction() as tx:
        held = [job for job in await jobs.unfinished(tx, ids) if job.state == "held"]
        chosen = [job.id for job in held]
        await (jobs.requeue if verb == "retried" else jobs.discard)(tx, chosen)
        for job in held:
            locked = await reviews.lock(tx, job.review_id) if job.review_id else None
            if locked is None:
                continue
            entry = Entry(f"job.{verb}", actor, "cli", f"The job {job.task} was {verb}.", gate.now(), {"job": job.id})
            change = Change(review=locked.review, head=locked.head, entries=[entry], now=gate.now(), touched=False)
            await record(tx, [change])
    return held
