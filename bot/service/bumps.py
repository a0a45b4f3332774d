"""The diff of a version bump: the bot makes it, and people decide on it as on any other content."""

from dataclasses import replace

from bot.domain import contents
from bot.domain.apv import Apv
from bot.domain.auto import judged
from bot.domain.review import Accepted, Dossier, Review
from bot.jobs import MakeBump, is_for
from bot.service.adoption import of_content, origin_of
from bot.service.consequences import BOT, Cause, amend, amend_locked
from bot.service.gate import Gate
from storage import origins, reviews, submissions


async def wanted(gate: Gate, job: MakeBump) -> Apv | None:
    """The APV that needs a diff; None when it no longer does."""
    async with gate.database.transaction() as tx:
        dossier = await reviews.get(tx, job.review_id)
    return dossier.apv if dossier and _is_wanted(dossier, job) else None


async def record_diff(gate: Gate, job: MakeBump, diff: str, description: str) -> None:
    """Give the review its diff as a new version without votes; idempotent."""
    readings = await gate.read_changes([diff])
    async with gate.database.transaction() as tx:
        former = await reviews.lock(tx, job.review_id)
        dossier = await reviews.get(tx, job.review_id)
        if former is None or dossier is None or not _is_wanted(dossier, job):
            return
        told = "\n".join(part for part in (description, dossier.apv.patch_description) if part)
        apv = replace(dossier.apv, patch_diff=diff, patch_description=told)
        locked = await submissions.replace_content(
            tx,
            job.review_id,
            apv,
            readings,
            version=former.review.version + 1,
            due_at=former.review.due_at,
            authors=former.review.authors,
            drafted_from=former.review.digest,
        )
        now = gate.now()
        submitter = await origins.submitter(tx, job.review_id)
        origin = await origin_of(gate, tx, submitter, apv, [job.review_id])

        def rule(review: Review) -> Accepted:
            revised = contents.revise(review, by_bot=True, opens_pulls=gate.opens_pulls)
            return judged(revised, apv, gate.policy(), origin, opens_pulls=gate.opens_pulls, now=now)

        await amend_locked(tx, locked, rule, of_content(Cause(BOT, "bot", now), locked.review))


async def record_no_diff(gate: Gate, job: MakeBump, reason: str) -> None:
    """Show on the card why there is no diff, unless the review has changed since."""

    def rule(review: Review) -> Accepted | None:
        return contents.bump_not_made(review, reason) if is_for(job, review) else None

    await amend(gate, job.review_id, rule, Cause(BOT, "bot", gate.now(), {"reason": reason}))


def _is_wanted(dossier: Dossier, job: MakeBump) -> bool:
    review = dossier.review
    ready = is_for(job, review) and dossier.apv.wants_bump and not review.unreadable
    return ready and contents.takes_new_content(review)
