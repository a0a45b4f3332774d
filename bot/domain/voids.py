"""Voids approvals whose voters can no longer be trusted, and says what follows for the review."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from bot.domain.events import Event, Kind
from bot.domain.review import AWAITING, Accepted, Review, Status, Vote


def voided(review: Review, void: Sequence[Vote], why: str) -> Event:
    """The event of approvals that no longer count."""
    whose = ", ".join(vote.name for vote in void)
    sentence = f"The approval of {review.code} by {whose} no longer counts: {why.rstrip('.')}."
    return Event(Kind.VOTES_VOIDED, sentence, alarm=True, tell=tuple(vote.person for vote in void))


def void(review: Review, keys: Collection[str], why: str) -> Accepted | None:
    """Void every approval of these people; an approved review whose push has not begun awaits new votes.

    None if they have no approval, or if the push has begun.
    """
    gone = [vote for vote in review.votes if vote.person in keys]
    approved = review.status is Status.APPROVED and review.pr_branch is None
    if not gone or not (approved or review.status in AWAITING):
        return None
    left = replace(review, votes=tuple(vote for vote in review.votes if vote.person not in keys))
    if approved:
        back = Status.ESCALATED if review.escalated_at else Status.PENDING
        left = replace(left, status=back, closed_at=None, hold=None, note=None)
    return Accepted(left, (voided(left, gone, why),))
