"""The diff of a version bump: content of the bot's own, which people decide on like any other."""

from dataclasses import dataclass, replace
from uuid import UUID

from bot.domain import review as rules
from bot.domain.apv import Apv, Json
from bot.service.automatic import judged
from bot.service.consequences import write
from bot.service.gate import Gate
from bot.service.outcomes import ACTOR
from bot.service.submissions import VOID
from storage import reviews, submissions


@dataclass(frozen=True, slots=True)
class Draft:
    """A diff and the words that say where it comes from."""

    diff: str
    description: str


async def wanted(gate: Gate, review_id: UUID, digest: str) -> Apv | None:
    """The report whose diff is to be made; None when that is no longer asked for."""
    async with gate.database.transaction() as tx:
        stored = await reviews.get(tx, review_id)
    if stored is None or stored.dossier.review.digest != digest or not stored.dossier.apv.wants_bump:
        return None
    return stored.dossier.apv if rules.takes_new_content(stored.dossier.review) else None


async def made(gate: Gate, review_id: UUID, digest: str, draft: Draft) -> None:
    """The review has a diff from now on: a new version, with votes still to come. A second call changes nothing."""
    async with gate.database.transaction() as tx:
        former = await reviews.lock(tx, review_id)
        stored = await reviews.get(tx, review_id)
        if former is None or stored is None or former.review.digest != digest:
            return
        if not rules.takes_new_content(former.review):
            return
        apv = stored.dossier.apv
        told = "\n".join(part for part in (draft.description, apv.patch_description) if part)
        apv = replace(apv, patch_diff=draft.diff, patch_description=told)
        locked = await submissions.replace_content(
            tx,
            review_id,
            apv,
            version=former.review.version + 1,
            due_at=former.review.due_at,
            drafted_from=digest,
        )
        revised = rules.revise(locked.review, by_bot=True)
        detail: dict[str, Json] = {"version": locked.review.version, "digest": locked.review.digest}
        await write(
            tx,
            locked,
            *judged(gate, revised.review, revised.events, apv),
            actor=ACTOR,
            source="bot",
            now=gate.now(),
            detail=detail,
            settlement=VOID,
        )


async def not_made(gate: Gate, review_id: UUID, digest: str, reason: str) -> None:
    """The card says why there is no diff; a review that has moved on is left as it is."""
    async with gate.database.transaction() as tx:
        locked = await reviews.lock(tx, review_id)
        if locked is None or locked.review.digest != digest:
            return
        changed = rules.bump_not_made(locked.review, reason)
        if changed is not None:
            detail: dict[str, Json] = {"reason": reason}
            await write(tx, locked, *changed, actor=ACTOR, source="bot", now=gate.now(), detail=detail)
