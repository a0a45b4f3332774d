"""Whether a refused decision only repeats an earlier one of the same person that still holds."""

from bot.domain.decisions import Decision
from bot.domain.people import Person
from bot.domain.refusal import Reason, Refused
from bot.domain.review import Choice, Review, Status

SETTLED = frozenset({Reason.ALREADY_VOTED, Reason.ALREADY_ESCALATED, Reason.NOT_A_LEAD, Reason.CLOSED})
"""The refusals that a repeated request can get. Any other would have refused the first request too."""


def stands(review: Review, person: Person, decision: Decision, refusal: Refused) -> bool:
    """Whether this decision still holds, provided that they made it for the version in force.

    A void approval is no longer among the votes. Where the rules ask for a vote again, they do not refuse.
    """
    if refusal.reason not in SETTLED or decision.digest not in {None, review.digest}:
        return False
    match decision.choice:
        case Choice.APPROVE:
            # The escalator's approval from before the escalation no longer counts.
            uncounted = review.escalated_at is not None and review.escalated_by == person.key
            return any(v.person == person.key and (v.lead_after_escalation or not uncounted) for v in review.votes)
        case Choice.REJECT:
            return review.status is Status.REJECTED
        case Choice.MODIFY:
            return review.status is Status.CHANGES_REQUESTED
        case Choice.ESCALATE:
            return review.escalated_by == person.key
