"""Whose turn it is: who may give a claim back, and to whom it may be given."""

import pytest

from bot.domain import review as rules
from bot.domain import turns
from bot.domain.outcome import Accepted, Reason, Refused
from bot.domain.review import AWAITING, Status
from tests.builders import ALICE, BOB, CAROL, person, review

STRANGER = Refused(Reason.GUEST, "Guest accounts cannot decide.")


@pytest.mark.parametrize("status", Status)
def test_a_claim_is_given_back_by_whoever_has_it(status: Status) -> None:
    """While a decision is awaited; then anybody may claim."""
    claimed = review(status=status, claimed_by=ALICE, claimed_by_name="Alice")
    outcome = turns.unclaim(claimed, person(ALICE))
    if status not in AWAITING:
        assert isinstance(outcome, Refused)
        assert outcome.reason is Reason.CLOSED
        return
    assert isinstance(outcome, Accepted)
    assert isinstance(rules.claim(outcome.review, person(BOB)), Accepted)
    others = turns.unclaim(claimed, person(BOB))
    assert isinstance(others, Refused)
    assert others.reason is Reason.CLAIMED
    nobodys = turns.unclaim(review(status=status), person(ALICE))
    assert isinstance(nobodys, Refused)
    assert nobodys.reason is Reason.NOT_CLAIMED


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("holder", [None, ALICE, BOB, CAROL])
def test_a_claim_is_given_to_whoever_may_decide(status: Status, holder: str | None) -> None:
    """Whoever had it, by anybody entitled, and never to who has it already or may not decide."""
    claimed = review(status=status, claimed_by=holder, claimed_by_name=person(holder).name if holder else None)
    outcome = turns.reassign(claimed, person(ALICE), person(BOB))
    if status not in AWAITING:
        assert isinstance(outcome, Refused)
        assert outcome.reason is Reason.CLOSED
    elif holder == BOB:
        assert isinstance(outcome, Refused)
        assert outcome.reason is Reason.CLAIMED
    else:
        assert isinstance(outcome, Accepted)
        assert (outcome.review.claimed_by, outcome.review.claimed_by_name) == (BOB, "Bob")
    assert isinstance(turns.reassign(claimed, person(ALICE), STRANGER), Refused)
