"""What the world answered: a pull request opened or not, a job that cannot be done, a deadline that passed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from bot import metrics
from bot.domain.apv import Json
from bot.domain.events import DeadlineMissed, Event, JobHeld, PullFailed, PullOpened
from bot.domain.pull import PullState
from bot.domain.review import Action, Review, Status
from bot.service.consequences import write
from bot.service.gate import Gate
from storage import pulls, reviews
from storage.record import Settlement

ACTOR = "apv-bot"

Rule: TypeAlias = Callable[[Review], tuple[Review, Sequence[Event]] | None]
"""The review as it becomes and what happened; None changes nothing."""


@dataclass(frozen=True, slots=True)
class Pull:
    """A pull request as GitHub has it. `state` is `open`, `closed` or `merged`."""

    number: int
    url: str
    branch: str
    head_sha: str
    files: int
    insertions: int
    deletions: int
    state: str
    base: str
    approved_head: str
    notes: tuple[str, ...] = ()
    """What could not be added to it, a sentence each."""

    @property
    def diffstat(self) -> str:
        """For example `1 file, +1 -1`."""
        return f"{self.files} file{'s' if self.files != 1 else ''}, +{self.insertions} -{self.deletions}"


async def begin_push(gate: Gate, review_id: UUID, digest: str, branch: str) -> bool:
    """Mark the review as having something pushed, before it is; False when it no longer stands as approved.

    From here on changed content opens a new review, so a push and new content cannot cross.
    """
    async with gate.database.transaction() as tx:
        locked = await reviews.lock(tx, review_id)
        if locked is None or locked.review.status is not Status.APPROVED or locked.review.digest != digest:
            return False
        await reviews.set_branch(tx, review_id, branch)
        return True


async def pull_opened(gate: Gate, review_id: UUID, pull: Pull) -> None:
    """The review's pull request exists, found or made; a second call changes nothing."""
    status = {"merged": Status.MERGED, "closed": Status.PR_CLOSED}.get(pull.state, Status.PR_OPEN)
    action = {"merged": Action.PR_MERGED, "closed": Action.PR_CLOSED}.get(pull.state, Action.PR_OPENED)

    def opened(review: Review) -> tuple[Review, Sequence[Event]] | None:
        if review.status is not Status.APPROVED:
            return None
        stands = replace(
            review,
            status=status,
            pr_number=pull.number,
            pr_url=pull.url,
            pr_branch=pull.branch,
            # What is at its head is for the first look to see: until then it is as it was pushed.
            pull=PullState(approved_head=pull.approved_head, head=pull.approved_head, base=pull.base),
            note=None,
        )
        words = {"merged": "is already merged", "closed": "was closed and stays closed"}.get(pull.state, "is open")
        notes = "".join(f" {note}." for note in pull.notes)
        return stands, [PullOpened(f"Pull request #{pull.number} {words}: {pull.branch} ({pull.diffstat}).{notes}")]

    detail: dict[str, Json] = {"number": pull.number, "branch": pull.branch, "head_sha": pull.head_sha}
    await _apply(gate, review_id, opened, detail=detail, settlement=Settlement(action, f"#{pull.number}"))


async def pull_failed(gate: Gate, review_id: UUID, digest: str, reason: str, *, pushed: bool) -> None:
    """There will be no pull request without a person's help: the review stays approved and says why.

    `pushed`: whether a branch may exist; if not, changed content may come into the same review.
    """

    def failed(review: Review) -> tuple[Review, Sequence[Event]] | None:
        if review.status is not Status.APPROVED or review.digest != digest:
            return None
        sentence = f"No pull request could be opened for {review.code}: {reason}"
        return replace(review, pr_branch=review.pr_branch if pushed else None, note=reason), [PullFailed(sentence)]

    await _apply(gate, review_id, failed, detail={"reason": reason}, settlement=Settlement(Action.FAILED, reason))


async def job_held(gate: Gate, review_id: UUID, task: str, reason: str) -> None:
    """An effect of this review is held until somebody retries or discards it."""

    def held(review: Review) -> tuple[Review, Sequence[Event]]:
        return review, [JobHeld(f"The job {task} of {review.code} is held: {reason}", task)]

    await _apply(gate, review_id, held, detail={"task": task, "reason": reason})


async def miss_deadlines(gate: Gate) -> int:
    """Say once of each review whose `due_at` has passed that nobody decided in time; returns of how many."""
    now, said = gate.now(), 0
    async with gate.database.transaction() as tx:
        overdue = await reviews.overdue(tx, now, limit=200)
    for review_id in overdue:
        async with gate.database.transaction() as tx:
            # Another replica may have said it since: whoever marks the row tells, and nobody else.
            if await reviews.mark_breached(tx, review_id, now):
                await _write(gate, tx, review_id, _missed, detail={})
                said += 1
    return said


def _missed(review: Review) -> tuple[Review, Sequence[Event]]:
    metrics.SLA_BREACHES.labels(review.severity).inc()
    return review, [DeadlineMissed(f"The deadline of {review.code} has passed without a decision.")]


async def _apply(
    gate: Gate,
    review_id: UUID,
    rule: Rule,
    *,
    detail: dict[str, Json],
    settlement: Settlement | None = None,
) -> None:
    async with gate.database.transaction() as tx:
        await _write(gate, tx, review_id, rule, detail=detail, settlement=settlement)


async def _write(
    gate: Gate,
    tx: AsyncConnection,
    review_id: UUID,
    rule: Rule,
    *,
    detail: dict[str, Json],
    settlement: Settlement | None = None,
) -> None:
    locked = await reviews.lock(tx, review_id)
    changed = rule(locked.review) if locked else None
    if locked is None or changed is None:
        return
    await write(
        tx,
        locked,
        *changed,
        actor=ACTOR,
        source="bot",
        now=gate.now(),
        detail=detail,
        settlement=settlement,
    )
    review, _ = changed
    if review.pull is not None and review.pull != locked.review.pull:
        await pulls.keep(tx, review_id, review.pull)
