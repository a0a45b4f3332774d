"""Lets operators void approvals and pause pushes, when a voter or the bot itself cannot be trusted."""

from collections.abc import Sequence
from dataclasses import dataclass

from bot.domain import voids
from bot.domain.apv import Severity
from bot.domain.review import Accepted, Review
from bot.domain.spelling import uncased
from bot.jobs import AlertIncident
from bot.service.consequences import Cause, amend_locked
from bot.service.gate import Gate
from storage import jobs, pauses, policies, reviews, votes
from storage.audit import Entry

SOURCE = "cli"


@dataclass(frozen=True, slots=True)
class Voided:
    """The codes of the reviews whose approvals were voided, and of those whose push had begun."""

    codes: Sequence[str]
    too_late: Sequence[str]


async def void_votes(gate: Gate, principal: str, why: str, actor: str) -> Voided:
    """Void every approval in force of a person: a Slack id, an e-mail address or `token:<name>`.

    A token with an owner stands for the person: all of theirs are voided, also those given by a click.
    An approved review whose push has not begun is voted on again.
    """
    async with gate.database.transaction() as tx:
        keys = {principal}
        if "@" in principal:
            keys = {f"claimed:{uncased(principal)}", *await votes.keys_of(tx, principal)}
        elif principal.startswith("token:"):
            keys |= await votes.keys_of_token(tx, principal.removeprefix("token:"))
        found = await votes.voted_by(tx, keys)
    codes, too_late = list[str](), list[str]()

    def rule(review: Review) -> Accepted | None:
        return voids.void(review, keys, why)

    for review_id in found:
        cause = Cause(actor, SOURCE, gate.now(), {"principal": principal, "why": why})
        async with gate.database.transaction() as tx:
            locked = await reviews.lock(tx, review_id)
            if locked is None:
                continue
            left = await amend_locked(tx, locked, rule, cause)
        (too_late if left == locked.review else codes).append(left.code)
    return Voided(codes, too_late)


async def pause_pushes(gate: Gate, why: str, actor: str) -> bool:
    """Stop everything that reaches GitHub until `resume_pushes`; False if pushes are already paused."""
    sentence = f"Pushes to GitHub are paused: {why}"
    async with gate.database.transaction() as tx:
        entry = Entry("pushes.paused", actor, SOURCE, sentence, gate.now(), {"why": why})
        if changed := await pauses.begin(tx, actor, why, entry.at):
            await policies.append(tx, entry)
            await jobs.enqueue(tx, [(AlertIncident(None, entry.id), Severity.HIGH)])
    return changed


async def resume_pushes(gate: Gate, why: str, actor: str) -> bool:
    """Continue what `pause_pushes` has stopped; False if pushes are not paused."""
    sentence = f"Pushes to GitHub are resumed: {why}"
    async with gate.database.transaction() as tx:
        entry = Entry("pushes.resumed", actor, SOURCE, sentence, gate.now(), {"why": why})
        if changed := await pauses.end(tx):
            await policies.append(tx, entry)
            await jobs.enqueue(tx, [(AlertIncident(None, entry.id), Severity.HIGH)])
    return changed
