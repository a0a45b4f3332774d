"""Tells people that a job of a review is held."""

from pgqueuer.models import Job as QueuedJob

from bot.jobs import MakeBump, OpenPull, ReadBase, parse
from bot.service import bumps, jobs, pulls
from bot.service.gate import Gate
from bot.tasks.executor import Held


async def tell_held(gate: Gate, queued: QueuedJob, held: Held) -> None:
    """Post it on the card, in the thread or in the incident channel; others are only in `jobs list`."""
    job = parse(queued.entrypoint, queued.payload)
    # Nothing is lost without ReadBase: then the push asks people again where it is not sure.
    if job.review_id is None or isinstance(job, ReadBase):
        return
    if isinstance(job, OpenPull):
        await pulls.failed(gate, job, held.reason, pushed=not held.hopeless)
        return
    if isinstance(job, MakeBump):
        await bumps.record_no_diff(gate, job, held.reason)
    await jobs.record_held(gate, job.review_id, job.task, held.reason)
