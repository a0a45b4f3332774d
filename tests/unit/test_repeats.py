"""When what a person decided before still holds, so that the same request is no new one."""

from dataclasses import replace

import pytest

from bot.domain.decisions import Decision
from bot.domain.refusal import Reason, Refused
from bot.domain.repeats import SETTLED, stands
from bot.domain.review import Choice, Review, Status, Vote
from tests.builders import ALICE, BOB, DIGEST, NOW, person, review

VOTED = review(votes=(Vote(ALICE, "Alice", NOW),))
ESCALATED = replace(VOTED, status=Status.ESCALATED, escalated_by=BOB, escalated_at=NOW)
OWN = replace(ESCALATED, escalated_by=ALICE)
AS_LEAD = replace(OWN, votes=(Vote(ALICE, "Alice", NOW, lead_after_escalation=True),))
HOLDS = [
    (Choice.APPROVE, VOTED, True),
    (Choice.APPROVE, review(), False),
    (Choice.APPROVE, ESCALATED, True),
    (Choice.APPROVE, OWN, False),
    (Choice.APPROVE, AS_LEAD, True),
    (Choice.APPROVE, replace(VOTED, status=Status.PR_OPEN), True),
    (Choice.REJECT, review(status=Status.REJECTED), True),
    (Choice.REJECT, review(status=Status.APPROVED), False),
    (Choice.MODIFY, review(status=Status.CHANGES_REQUESTED), True),
    (Choice.MODIFY, review(status=Status.REJECTED), False),
    (Choice.ESCALATE, OWN, True),
    (Choice.ESCALATE, replace(OWN, status=Status.APPROVED), True),
    (Choice.ESCALATE, ESCALATED, False),
]


@pytest.mark.parametrize(("choice", "on", "holds"), HOLDS)
def test_what_still_holds(choice: Choice, on: Review, holds: bool) -> None:
    """A counted vote, the status that it led to, or the escalation; but for content that is in force."""
    for digest, expected in ((None, holds), (DIGEST, holds), ("e2" * 32, False)):
        asked = Decision(choice=choice, digest=digest)
        assert stands(on, person(ALICE), asked, Refused(Reason.CLOSED, "")) is expected


@pytest.mark.parametrize("reason", sorted(set(Reason) - SETTLED))
def test_a_refusal_that_the_first_request_would_have_met_too(reason: Reason) -> None:
    """Who may not decide now gets the refusal, whatever they decided before."""
    assert not stands(VOTED, person(ALICE), Decision(choice=Choice.APPROVE), Refused(reason, ""))
